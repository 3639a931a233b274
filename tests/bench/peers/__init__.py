"""What users would write instead: the simplest idiomatic program of each framework, around the same scikit-learn estimator."""
