"""Trendloom, a trend-aware fashion recommender that lives on the purchase stream."""
