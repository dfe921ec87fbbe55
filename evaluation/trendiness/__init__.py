"""Does a customer's trendiness predict how popular the next bought item is? Read :mod:`evaluation.trendiness.trial`."""
