"""The console: pages for tenant administrators and the operator, rendered here and quick."""
