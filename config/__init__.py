"""Every tunable number: ``config/settings.py`` declares them, ``config/default.toml`` shows their defaults."""
