// Before anything is drawn: the colours that somebody chose, else those of the system.
(() => {
  const key = "desk-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const show = () => {
    const theme = chosen() || (system.matches ? "dark" : "light");
    document.documentElement.dataset.bsTheme = theme;
    return theme;
  };
  show();
  system.addEventListener("change", show);
  window.deskTheme = {
    show,
    toggle() {
      const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(key, next);
      } catch {
        // Without storage the choice lasts as long as the page.
      }
      document.documentElement.dataset.bsTheme = next;
      return next;
    },
  };
})();
