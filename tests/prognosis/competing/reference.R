# Reference values of competing risks, by other people's code.
#   Rscript reference.R INPUT.tsv OUTPUT.tsv TIME [TIME ...]
# INPUT: id, time, status (0 censored, 1 event, 2 competing), x1, x2, risk (any predicted risk between 0 and 1).
# OUTPUT: what, term, time, value. Made with R 4.2.2, cmprsk 2.2-11, riskRegression 2022.11.28, survival 3.5-3.
suppressMessages({library(survival); library(cmprsk); library(riskRegression); library(prodlim)})
args <- commandArgs(TRUE)
d <- read.delim(args[1]); times <- as.numeric(args[-(1:2)])
out <- data.frame()
add <- function(what, value, term = "", time = NA) {
  out <<- rbind(out, data.frame(what = what, term = term, time = time, value = as.numeric(value)))
}
# Fine and Gray, one covariate and two
for (terms in list("x1", c("x1", "x2"))) for (cause in 1:2) {
  fit <- crr(d$time, d$status, as.matrix(d[, terms, drop = FALSE]), failcode = cause, gtol = 1e-13, maxiter = 50)
  se <- sqrt(diag(fit$var)); tag <- paste0("crr", cause, "_", length(terms))
  add(paste0(tag, "_coef"), fit$coef, terms); add(paste0(tag, "_se"), se, terms)
  add(paste0(tag, "_p"), 2 * pnorm(-abs(fit$coef / se)), terms)
  if (cause == 1) for (t in times) {
    base <- c(0, cumsum(fit$bfitj))[findInterval(t, fit$uftime) + 1]
    add(paste0(tag, "_baseline"), base, "", t)
  }
}
# cumulative incidence with its log(-log) interval; cmprsk's estimate beside it, and Gray's test by the median of x1
aj <- survfit(Surv(time, factor(status, 0:2)) ~ 1, d, conf.type = "log-log")
at <- summary(aj, times = times); ci <- timepoints(cuminc(d$time, d$status), times)
for (cause in 1:2) for (k in seq_along(times)) {
  tag <- paste0("cif", cause); j <- cause + 1
  add(tag, at$pstate[k, j], "", times[k]); add(paste0(tag, "_se"), at$std.err[k, j], "", times[k])
  add(paste0(tag, "_low"), at$lower[k, j], "", times[k]); add(paste0(tag, "_high"), at$upper[k, j], "", times[k])
  add(paste0(tag, "_cmprsk"), ci$est[paste("1", cause), as.character(times[k])], "", times[k])
}
g <- cuminc(d$time, d$status, ifelse(d$x1 > median(d$x1), "high", "low"))
add("gray_stat", g$Tests[, "stat"], c("event", "competing")); add("gray_p", g$Tests[, "pv"], c("event", "competing"))
# calibration: Aalen-Johansen in fifths of the predicted risk
cuts <- unique(quantile(d$risk, c(.2, .4, .6, .8)))
fifth <- findInterval(d$risk, cuts, left.open = TRUE) + 1
for (t in times) for (k in sort(unique(fifth))) {
  part <- survfit(Surv(time, factor(status, 0:2)) ~ 1, d[fifth == k, ])
  add("observed", summary(part, times = t, extend = TRUE)$pstate[2], k, t); add("predicted", mean(d$risk[fifth == k]), k, t)
}
# time-dependent AUC and Brier score; controls: everybody without the event by then, competing events included
r <- matrix(d$risk, nrow(d), length(times))
s <- Score(list(m = r), formula = Hist(time, status) ~ 1, data = d, times = times, cause = 1, cens.model = "km",
           metrics = c("auc", "brier"), conf.int = FALSE, null.model = TRUE)
for (t in times) {
  add("auc", s$AUC$score$AUC[s$AUC$score$times == t], "", t)
  b <- s$Brier$score
  add("brier", b$Brier[b$model == "m" & b$times == t], "", t)
  add("brier_null", b$Brier[b$model == "Null model" & b$times == t], "", t)
}
write.table(format(out, digits = 12), args[2], sep = "\t", row.names = FALSE, quote = FALSE)
