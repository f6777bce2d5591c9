"""`GET /metrics`: what there is to see for Prometheus, and who sees it."""
