# Bioconductor's GSVA as a contender: Rscript peer.R FOLDER METHOD KCDF. Reads x.f64 (genes x samples, by columns) and
# sets.gmt, scores once for every line on standard input, answers each with a line, and writes the scores to scores.f64.
argument <- commandArgs(trailingOnly = TRUE)
folder <- argument[1]; method <- argument[2]; kcdf <- argument[3]
size <- as.integer(readLines(file.path(folder, "size.txt")))
x <- matrix(readBin(file.path(folder, "x.f64"), "double", prod(size)), nrow = size[1])
rownames(x) <- paste0("G", seq_len(size[1]) - 1L); colnames(x) <- paste0("c", seq_len(size[2]) - 1L)
lines <- strsplit(readLines(file.path(folder, "sets.gmt")), "\t")
sets <- setNames(lapply(lines, function(l) l[-(1:2)]), vapply(lines, `[`, "", 1))
suppressPackageStartupMessages(library(GSVA))

score <- function() {
  if (!exists("gsvaParam")) { # Before version 1.50 one function had all arguments.
    return(gsva(x, sets, method = method, kcdf = kcdf, ssgsea.norm = FALSE, min.sz = 1, verbose = FALSE, parallel.sz = 1L))
  }
  made <- switch(method,
    gsva = gsvaParam(x, sets, kcdf = kcdf), ssgsea = ssgseaParam(x, sets, normalize = FALSE),
    zscore = zscoreParam(x, sets), plage = plageParam(x, sets)
  )
  gsva(made, verbose = FALSE)
}

input <- file("stdin", "r")
cat("GSVA", as.character(packageVersion("GSVA")), "\n")
flush(stdout())
while (length(readLines(input, 1)) == 1) {
  found <- score()[names(sets), colnames(x)]
  cat("scored\n"); flush(stdout())
  writeBin(as.vector(found), file.path(folder, "scores.f64"))
}
