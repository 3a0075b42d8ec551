// Keyboard on a list: j and k move, x selects, o opens the row, Enter shows details; a key that a link of the
// row names in data-key follows it.
(() => {
  "use strict";

  let place = -1;
  const rows = () => Array.from(document.querySelectorAll("#result_list tr.data-row"));

  function typing(target) {
    const field = /^(input|textarea|select)$/i.test(target.tagName);
    return target.isContentEditable || (field && !/^(checkbox|radio)$/i.test(target.type || ""));
  }

  function moveTo(next) {
    const all = rows();
    if (!all.length) return;
    place = Math.max(0, Math.min(next, all.length - 1));
    all.forEach((row, index) => {
      row.classList.toggle("desk-current", index === place);
      if (index === place) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    all[place].tabIndex = -1;
    all[place].focus({ preventScroll: true });
    all[place].scrollIntoView({ block: "nearest" });
  }

  function onRow(key, row) {
    if (key === "x") return row.querySelector("input.action-select");
    if (key === "o") return row.querySelector("td.cursor-pointer");
    if (key === "Enter") return /^(a|button)$/i.test(document.activeElement.tagName) ? null : row.querySelector("th a, td a");
    return row.querySelector(`a[data-key="${CSS.escape(key)}"]`);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      moveTo(event.key === "j" ? place + 1 : place - 1);
      return;
    }
    const row = rows()[place];
    const target = row && onRow(event.key, row);
    if (!target) return;
    event.preventDefault();
    target.click();
  });
})();
