"""Pages about models outside the admin, one module a page."""
