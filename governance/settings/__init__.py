"""Settings, read from the environment. `dev` is the embedded default, `prod` demands every variable."""
