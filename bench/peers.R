# The R peers of the race, as a worker of bench/race.py:   Rscript peers.R list  |  Rscript peers.R run NAME
# `run` loads the package, solves a toy problem so that nothing is done for the first time on the clock, says "race ready", and then answers each
# line "MATRIX.npy LAMBDA EFFORT ANSWER.npy" by "race ok SECONDS" or "race failed WHY". Seconds are those of the package's own
# public function, the best of as many runs as fit into a second (at most 5). Both penalise the diagonal.

solvers <- list(
  glasso = function(s, lambda, tolerance) glasso::glasso(s, lambda, thr = tolerance, maxit = 10000, penalize.diagonal = TRUE)$wi,
  huge = function(s, lambda, tolerance) as.matrix(huge::huge.glasso(s, lambda = lambda, verbose = FALSE)$icov[[1]])) # it has no tolerance

npy_read <- function(path) {
  file <- file(path, "rb")
  on.exit(close(file))
  head <- as.integer(readBin(file, "raw", 10))
  stopifnot(head[7] == 1)
  header <- rawToChar(readBin(file, "raw", head[9] + 256 * head[10]))
  stopifnot(grepl("'<f8'", header, fixed = TRUE))
  p <- as.integer(sub(".*\\(([0-9]+),.*", "\\1", header))
  matrix(readBin(file, "double", p * p, endian = "little"), p) # symmetric: rows or columns first is the same
}

npy_write <- function(path, a) {
  file <- file(path, "wb")
  on.exit(close(file))
  header <- sprintf("{'descr': '<f8', 'fortran_order': True, 'shape': (%d, %d), }", nrow(a), ncol(a))
  header <- paste0(formatC(header, width = -117), "\n") # 10 + 118 bytes: a multiple of 64
  writeBin(as.raw(c(0x93, utf8ToInt("NUMPY"), 1, 0, nchar(header), 0)), file)
  writeBin(charToRaw(header), file)
  writeBin(as.double(a), file, endian = "little")
}

say <- function(...) {
  cat("race", ..., "\n")
  flush(stdout())
}

answer <- function(solve, words) {
  s <- npy_read(words[1])
  best <- Inf
  total <- 0
  for (k in 1:5) {
    start <- Sys.time()
    theta <- solve(s, as.numeric(words[2]), as.numeric(words[3]))
    took <- as.numeric(difftime(Sys.time(), start, units = "secs"))
    best <- min(best, took)
    total <- total + took
    if (total >= 1) break
  }
  npy_write(words[4], theta)
  say("ok", format(best, digits = 7))
}

arguments <- commandArgs(trailingOnly = TRUE)
if (arguments[1] == "list") {
  for (name in names(solvers)) {
    if (requireNamespace(name, quietly = TRUE)) say("has", name, as.character(packageVersion(name)))
  }
  about <- sessionInfo()
  say("about", paste("R", paste(R.version$major, R.version$minor, sep = ".")), "with", basename(about$LAPACK))
} else {
  solve <- solvers[[arguments[2]]]
  toy <- diag(4)
  toy[toy == 0] <- 0.3
  invisible(solve(toy, 0.1, 1e-4))
  say("ready")
  input <- file("stdin", "r")
  while (length(line <- readLines(input, 1)) > 0) {
    tryCatch(answer(solve, strsplit(line, " ")[[1]]), error = function(e) say("failed", gsub("\n", " ", conditionMessage(e))))
  }
}
