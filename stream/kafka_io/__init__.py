"""Kafka: the only package that imports kafka. Everything measured of kafka-python's traps is handled in here."""
