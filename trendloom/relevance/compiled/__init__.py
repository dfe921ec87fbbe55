"""The relevance function compiled to machine code, for those who have numba (the extra ``fast``)."""
