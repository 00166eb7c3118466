# Reference values of tl.contrast and tl.set_test: limma, and nlme for the mixed model.
# Usage, in this folder: Rscript reference.R      (made with R 4.2.2, limma 3.54.1, nlme 3.1-162, statmod)
library(limma)
library(nlme)
read <- function(f) read.delim(f, row.names = 1, check.names = FALSE, stringsAsFactors = FALSE)
out <- list()
keep <- function(data, design, fit, coef) {
  s2 <- fit$s2.post
  stopifnot(length(s2) == nrow(fit$coefficients))
  out[[length(out) + 1]] <<- data.frame(
    data = data, design = design, signature = rownames(fit$coefficients),
    effect = fit$coefficients[, coef], se = fit$stdev.unscaled[, coef] * fit$sigma, df = fit$df.residual,
    t = fit$coefficients[, coef] / (fit$stdev.unscaled[, coef] * fit$sigma),
    t_moderated = fit$t[, coef], p_moderated = fit$p.value[, coef], prior_df = fit$df.prior[1],
    correlation = if (is.null(fit$correlation)) NA else fit$correlation, stringsAsFactors = FALSE)
}
for (name in c("a", "b")) {
  y <- t(as.matrix(read(sprintf("scores_%s.tsv", name))))
  d <- read(sprintf("design_%s.tsv", name))
  g <- factor(d$group, levels = c("normal", "cirrhosis", "tumour"))
  two <- d$group != "cirrhosis"
  x <- model.matrix(~ droplevels(g[two]))
  keep(name, "two groups", eBayes(lmFit(y[, two], x)), 2)
  x <- model.matrix(~ g)
  keep(name, "three groups, tumour", eBayes(lmFit(y, x)), 3)
  keep(name, "three groups, cirrhosis", eBayes(lmFit(y, x)), 2)
  x <- model.matrix(~ g + d$age + factor(d$batch))
  keep(name, "covariates, tumour", eBayes(lmFit(y, x)), 3)
  x <- model.matrix(~ factor(d$pair[two]) + droplevels(g[two]))
  keep(name, "pairs", eBayes(lmFit(y[, two], x)), ncol(x))
  x <- model.matrix(~ droplevels(g[two]))
  cor <- duplicateCorrelation(y[, two], x, block = d$pair[two])$consensus.correlation
  keep(name, "consensus correlation", eBayes(lmFit(y[, two], x, block = d$pair[two], correlation = cor)), 2)
  # Blocks of unequal size, one of them incomplete, and a score that misses a value.
  some <- !(rownames(d) %in% c("s00", "s04", "s05"))
  x <- model.matrix(~ g[some])
  z <- y[, some]; z[1, 3] <- NA
  cor <- duplicateCorrelation(z, x, block = d$pair[some])$consensus.correlation
  keep(name, "incomplete blocks", eBayes(lmFit(z, x, block = d$pair[some], correlation = cor)), 3)
  x <- model.matrix(~ dose, d)
  keep(name, "continuous", eBayes(lmFit(y, x)), 2)
  x <- model.matrix(~ as.integer(g))
  keep(name, "trend", eBayes(lmFit(y, x)), 2)
  z <- as.integer(d$batch %in% c("b0", "b1"))
  x <- model.matrix(~ droplevels(g[two]) * z[two])
  keep(name, "interaction", eBayes(lmFit(y[, two], x)), 4)
  # In each value of a factor, in one model; and interactions of several groups.
  f <- factor(z)
  x <- model.matrix(~ f + f:g)
  at <- function(n) match(n, colnames(x))
  for (v in c("0", "1")) keep(name, paste("within", v), eBayes(lmFit(y, x)), at(sprintf("f%s:gtumour", v)))
  x <- model.matrix(~ factor(d$pair) + f + f:g)
  x <- x[, !(colnames(x) %in% nonEstimable(x))]
  keep(name, "within 1, pairs", eBayes(lmFit(y, x)), at("f1:gtumour"))
  x <- model.matrix(~ g * f)
  keep(name, "interaction of three", eBayes(lmFit(y, x)), at("gtumour:f1"))
}
write.table(do.call(rbind, out), "contrasts.tsv", sep = "\t", quote = FALSE, row.names = FALSE)

mixed <- list()
fit_mixed <- function(frame) {
  m <- lme(y ~ x, random = ~ 1 | pair, data = frame, method = "REML",
           control = lmeControl(tolerance = 1e-12, msTol = 1e-13, maxIter = 500, msMaxIter = 500))
  e <- summary(m)$tTable["x", ]
  v <- as.numeric(VarCorr(m)[, "Variance"])
  data.frame(effect = e["Value"], se = e["Std.Error"], var_pair = v[1], var_residual = v[2], loglik = as.numeric(logLik(m)))
}
for (name in c("a", "b")) {
  y <- read(sprintf("scores_%s.tsv", name))
  d <- read(sprintf("design_%s.tsv", name))
  two <- d$group != "cirrhosis"
  for (s in colnames(y)) {
    frame <- data.frame(y = y[two, s], x = as.integer(d$group[two] == "tumour"), pair = d$pair[two])
    mixed[[length(mixed) + 1]] <- data.frame(data = name, design = "pairs", signature = s, fit_mixed(frame))
    # Blocks of unequal size, along a predictor that differs within and between them.
    frame <- data.frame(y = y[-c(1, 5), s], x = d$dose[-c(1, 5)], pair = d$pair[-c(1, 5)])
    mixed[[length(mixed) + 1]] <- data.frame(data = name, design = "unequal blocks", signature = s, fit_mixed(frame))
  }
}
write.table(do.call(rbind, mixed), "mixed.tsv", sep = "\t", quote = FALSE, row.names = FALSE)

tests <- list()
for (name in c("a", "b")) {
  y <- t(as.matrix(read(sprintf("genes_%s.tsv", name))))
  d <- read(sprintf("gene_design_%s.tsv", name))
  s <- read.delim(sprintf("sets_%s.tsv", name), stringsAsFactors = FALSE)
  x <- model.matrix(~ factor(d$batch) + I(d$group == "drug"))
  at <- ncol(x)
  for (n in unique(s$set)) {
    one <- s[s$set == n, ]
    index <- match(one$gene, rownames(y))
    row <- data.frame(data = name, set = n)
    for (kind in c("preset", "estimated")) for (rank in c(FALSE, TRUE)) {
      r <- camera(y, list(index), x, contrast = at, use.ranks = rank,
                  inter.gene.cor = if (kind == "preset") 0.01 else NA, allow.neg.cor = FALSE)
      row[[paste("camera", kind, if (rank) "ranks" else "t", "p", sep = "_")]] <- r$PValue
      row[[paste("camera", kind, "correlation", sep = "_")]] <- if (kind == "preset") 0.01 else r$Correlation
      row$direction <- r$Direction
    }
    set.seed(1)
    signed <- data.frame(gene = index, weight = one$weight)
    r <- mroast(y, list(signed), x, contrast = at, nrot = 99999, set.statistic = "mean")
    row$roast_p <- r$PValue
    row$roast_mixed_p <- r$PValue.Mixed
    row$roast_direction <- r$Direction
    f <- fry(y, list(signed), x, contrast = at)
    row$fry_p <- f$PValue
    row$fry_direction <- f$Direction
    tests[[length(tests) + 1]] <- row
  }
  fit <- eBayes(lmFit(y, x))
  write.table(data.frame(gene = rownames(y), t = fit$t[, at], df_prior = fit$df.prior, s2_prior = fit$s2.prior),
    sprintf("gene_t_%s.tsv", name), sep = "\t", quote = FALSE, row.names = FALSE)
  p <- cameraPR(fit$t[, at], lapply(split(s$gene, s$set), match, rownames(y)), sort = FALSE)
  write.table(data.frame(set = rownames(p), p = p$PValue, direction = p$Direction),
    sprintf("camera_preranked_%s.tsv", name), sep = "\t", quote = FALSE, row.names = FALSE)
}
write.table(do.call(rbind, tests), "set_tests.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
