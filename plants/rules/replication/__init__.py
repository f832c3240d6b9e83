"""Positions, parked entries, repairs, disputes and witnesses."""
