"""The product of two machines: exploration, merging, refinement, confirmation. In: two machines. Out: a verdict."""
