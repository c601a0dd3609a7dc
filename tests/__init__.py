"""The tests: one promise a test, driven through the front door where there is one."""
