# limma's p-values of the experiments that run.py wrote: Rscript limma.R FOLDER REPETITIONS SAMPLES GENES SETS SIZE DESIGN N ROAST
suppressMessages(library(limma))
a <- commandArgs(TRUE)
folder <- a[1]; reps <- as.integer(a[2]); n <- as.integer(a[3]); genes <- as.integer(a[4]); sets <- as.integer(a[5])
size <- as.integer(a[6]); design <- a[7]; roast <- a[9] == "1"
about <- read.delim(file.path(folder, "samples.tsv"))
x <- if (design == "pairs") model.matrix(~ factor(about$donor) + about$treated) else model.matrix(~ about$treated)
at <- ncol(x)
index <- lapply(seq_len(sets), function(k) (k - 1) * size + seq_len(size))
con <- file(file.path(folder, "data.bin"), "rb")
out <- matrix(NA_real_, reps, 4 * sets)
for (r in seq_len(reps)) {
  y <- matrix(readBin(con, "numeric", n * genes, size = 4), genes, n)
  scores <- t(sapply(index, function(i) colMeans(y[i, ])))
  if (design == "donors") {
    rho <- duplicateCorrelation(scores, x, block = about$donor)$consensus.correlation
    fit <- eBayes(lmFit(scores, x, block = about$donor, correlation = rho))
    blocks <- rho
  } else fit <- eBayes(lmFit(scores, x))
  out[r, seq_len(sets)] <- fit$p.value[, at]
  if (design != "donors") {
    out[r, sets + seq_len(sets)] <- camera(y, index, x, contrast = at, sort = FALSE)$PValue
    out[r, 2 * sets + seq_len(sets)] <- camera(y, index, x, contrast = at, inter.gene.cor = NA, sort = FALSE)$PValue
    if (roast) out[r, 3 * sets + seq_len(sets)] <- mroast(y, index, x, contrast = at, nrot = 199, sort = "none")$PValue
  }
}
close(con)
writeBin(as.vector(t(out)), file.path(folder, "p.bin"))
