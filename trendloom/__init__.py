"""Trendloom, a trend-aware fashion recommender that lives on the purchase stream; ``docs/reading-order.md`` says where to start."""
