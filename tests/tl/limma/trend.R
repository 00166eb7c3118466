# Variances whose level falls with a covariate, and limma's trended prior of them (R 4.2.2, limma 3.54.1).
suppressMessages(library(limma))
set.seed(1)
n <- 60
a <- rnorm(n, 6, 2)
v <- exp(1 - a / 2) * rchisq(n, 2) / 2 * 5 / rchisq(n, 5)
o <- squeezeVar(v, 2, covariate = a)
table <- data.frame(v = v, a = a, prior = o$var.prior, post = o$var.post, df = o$df.prior)
write.table(format(table, digits = 15), "trend.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
