"""Linear models on plain arrays: designs, fits, moderation, blocks, permutations, set tests."""
