# Makes expected.tsv (name, value) from patients.tsv:  Rscript reference.R
# R 4.2.2 with survival 3.5.3, Hmisc 4.8.0, riskRegression 2022.11.28, geepack 1.3.9, sandwich 3.0.2, metafor 3.8.1.
suppressPackageStartupMessages({library(survival); library(Hmisc); library(riskRegression); library(geepack)
  library(sandwich); library(metafor)})
d <- read.delim("patients.tsv"); at <- 6; out <- list()
# Of what each patient has the first 40.
put <- function(name, x) { x <- head(x, 40); out[[length(out) + 1]] <<- data.frame(name = name, i = seq_along(x) - 1, value = signif(as.numeric(x), 12)) }
errors <- function(name, obs, pred) put(name, c(mean(abs(obs - pred)), quantile(abs(obs - pred), c(.5, .9)), max(abs(obs - pred))))
tight <- coxph.control(eps = 1e-14, iter.max = 50)

# Smooth calibration of survival: Austin, Harrell and van Klaveren 2020.
d$cll <- log(-log(1 - d$risk))
for (k in 3:5) {
  b <- rcspline.eval(d$cll, nk = k, inclx = TRUE); colnames(b) <- paste0("b", 1:ncol(b)); e <- cbind(d, b)
  f <- coxph(as.formula(paste("Surv(time, event) ~", paste(colnames(b), collapse = "+"))), e, ties = "efron", control = tight)
  s <- summary(survfit(f, newdata = e, conf.type = "log-log"), times = at)
  put(paste0("cox_spline_observed_", k), 1 - s$surv[1, ])
  put(paste0("cox_spline_low_", k), 1 - s$upper[1, ]); put(paste0("cox_spline_high_", k), 1 - s$lower[1, ])
  errors(paste0("cox_spline_errors_", k), 1 - s$surv[1, ], d$risk)
}
# Labels: Austin and Steyerberg 2019 (loess), and a logistic model on a spline.
l <- loess(y ~ prob, d, control = loess.control(surface = "direct"))
errors("loess_errors", fitted(l), d$prob); put("loess_observed", fitted(l))
b <- rcspline.eval(qlogis(d$prob), nk = 4, inclx = TRUE)
g <- glm(d$y ~ b, family = binomial, control = glm.control(epsilon = 1e-14)); pr <- predict(g, se.fit = TRUE)
put("logistic_observed", plogis(pr$fit)); put("logistic_low", plogis(pr$fit - qnorm(.975) * pr$se.fit))
errors("logistic_errors", plogis(pr$fit), d$prob)

# Pseudo-observations of the cumulative incidence, and their regression.
s <- factor(d$status, 0:2, c("censored", "event", "other"))
incidence <- function(rows) { f <- summary(survfit(Surv(time2, s) ~ 1, data.frame(time2 = d$time2, s = s)[rows, ]), times = at, extend = TRUE); f$pstate[1, 2] }
n <- nrow(d); whole <- incidence(1:n)
pseudo <- sapply(1:n, function(i) n * whole - (n - 1) * incidence(-i)); put("pseudo", pseudo)
b <- rcspline.eval(d$cll, nk = 3, inclx = TRUE); b <- scale(b)
q <- geese(pseudo ~ b, id = 1:n, mean.link = "cloglog", variance = "gaussian", jack = FALSE, scale.fix = TRUE, control = geese.control(epsilon = 1e-12, maxit = 100))
eta <- cbind(1, b) %*% q$beta; se <- sqrt(rowSums((cbind(1, b) %*% q$vbeta) * cbind(1, b)))
put("pseudo_observed", 1 - exp(-exp(eta))); put("pseudo_high", 1 - exp(-exp(eta + qnorm(.975) * se)))

# Brier score and its share explained (index of prediction accuracy).
sc <- Score(list(m = d$risk), Surv(time_untied, event) ~ 1, d, times = at, metrics = "brier", summary = "ipa", se.fit = FALSE)
put("brier", sc$Brier$score$Brier[sc$Brier$score$model == "m"]); put("ipa", sc$Brier$score$IPA[sc$Brier$score$model == "m"])

# Strata, robust and clustered errors: coefficient, error, p of the score per SD.
d$x <- as.numeric(scale(d$score))
for (ties in c("efron", "breslow")) for (m in list(c("alone", ""), c("age", "+ age"), c("strata", "+ strata(stage)"), c("both", "+ age + strata(stage)"))) for (v in c("model", "robust", "cluster")) {
  f <- coxph(as.formula(paste("Surv(time, event) ~ x", m[2])), d, ties = ties, control = tight,
             robust = v != "model", cluster = if (v == "cluster") centre else NULL)
  s <- summary(f)$coefficients["x", ]; put(paste("cox", ties, m[1], v, sep = "_"), c(s["coef"], if (v == "model") s["se(coef)"] else s["robust se"], s["Pr(>|z|)"]))
}
c1 <- concordance(Surv(time, event) ~ x, d, reverse = TRUE); c2 <- concordance(Surv(time, event) ~ x, d, reverse = TRUE, cluster = centre)
put("concordance_cluster", c(c1$concordance, sqrt(c1$var), sqrt(c2$var)))
g <- glm(y ~ x + age, binomial, d, control = glm.control(epsilon = 1e-14))
put("logistic_model", c(coef(g)["x"], sqrt(vcov(g)["x", "x"])))
put("logistic_robust", sqrt(vcovHC(g, type = "HC0")["x", "x"])); put("logistic_cluster", sqrt(vcovCL(g, d$centre, type = "HC0", cadjust = FALSE)["x", "x"]))
put("dfbetas", residuals(coxph(Surv(time, event) ~ x, d, control = tight), type = "dfbetas"))
d$r <- as.numeric(scale(rank(d$score))); put("rank_p", summary(coxph(Surv(time, event) ~ r, d, control = tight))$coefficients["r", "Pr(>|z|)"])

# Median follow-up by the reverse Kaplan-Meier estimate.
put("follow_up", summary(survfit(Surv(time, 1 - event) ~ 1, d, conf.type = "log-log"))$table[c("median", "0.95LCL", "0.95UCL")])

# Meta-analysis of C (logit), slope and O/E (log): restricted maximum likelihood, Hartung and Knapp's interval.
y <- c(.71, .64, .80, .58); lo <- c(.62, .55, .69, .49); hi <- c(.78, .72, .87, .66)
for (m in c("c", "slope", "oe")) {
  h <- switch(m, c = qlogis, slope = identity, oe = log)
  r <- rma(yi = h(y), sei = (h(hi) - h(lo)) / (2 * qnorm(.975)), method = "REML", test = "knha", control = list(threshold = 1e-12, maxiter = 1000))
  put(paste0("meta_", m), c(r$beta, r$ci.lb, r$ci.ub, r$tau2))
}
write.table(do.call(rbind, out), "expected.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
