"""KNOW: pure functions, frozen dataclasses and enums; the standard library only."""
