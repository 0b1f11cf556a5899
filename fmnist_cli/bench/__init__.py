"""What a model costs: loading time, latency and throughput beside its accuracy."""
