"""What runs offline: corpus to estimator to model folder. Imports stream, never the other way round."""
