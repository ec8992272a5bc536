"""Whether two answers that were read say the same: values, lists, names, sets of real numbers, equations."""
