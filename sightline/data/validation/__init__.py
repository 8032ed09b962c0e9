"""Whether a data set is fit: the suite, Great Expectations' verdict, and the accepted baseline."""
