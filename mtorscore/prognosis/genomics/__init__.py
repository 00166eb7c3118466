"""DNA alterations beside scores, classes and outcome: shares, declared pairs of branch and gene, layers of evidence."""
