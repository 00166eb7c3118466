"""DNA alterations: mutations, copy number, structural variants and tables of calls, with who was profiled for what."""
