"""What runs online: bytes to articles to verdicts to alerts, and the Kafka shell around it."""
