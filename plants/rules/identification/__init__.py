"""Plant and batch codes, code rules, ids."""
