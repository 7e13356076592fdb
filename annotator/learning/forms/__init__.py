"""Forms of the learning pages in the admin."""
