"""Checks over records that were sent and read back: counts, duplicates, what is missing, freshness. No Kafka here.

Shared by the demo, replays, load tests and audits. Start reading at :mod:`trendloom.verify.stream_check`.
"""
