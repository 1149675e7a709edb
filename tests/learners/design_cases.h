/* R's answers for the columns of designs, from
 *
 *     m <- model.matrix(as.formula(formula), d)
 *     colnames(m); attr(m, "assign"); colSums(m * 2^(0:11))
 *
 * over the data below as the data frame d, with f, g and h as factors, whose
 * levels R was given as "[a]", "[b]", ... so that its names are ours. A column
 * of zeros and ones is known by its sum of powers of two. */
#ifndef DESIGN_CASES_H
#define DESIGN_CASES_H

enum { CASE_ROWS = 12, CASE_COLUMNS = 32 };

static const char CASE_DATA[] =
    "y,x,z,e,f,g,h\n3,1,2,1,a,p,u\n1,2.5,7,2,b,q,u\n4,0.5,1,10,c,q,v\n"
    "1,3,8,1,a,p,v\n5,1.5,2,2,c,p,u\n9,2,8,10,b,q,v\n2,4,1,2,b,p,v\n"
    "6,0.25,8,2,a,q,u\n5,1,2,1,c,p,v\n3,3.5,8,10,b,q,u\n5,2,4,1,a,q,u\n"
    "8,0.75,5,2,c,p,v\n";

typedef struct design_case {
    const char *formula, *names, *terms;
    double sum[CASE_COLUMNS];
} design_case;

static const design_case CASES[] = {
    {"y ~ x", "(Intercept)|x", "0 1", {4095, 6040}},
    {"y ~ x + z - 1", "x|z", "1 2", {6040, 20404}},
    {"y ~ 0 + f + g",
     "f[a]|f[b]|f[c]|g[q]",
     "1 1 1 2",
     {1161, 610, 2324, 1702}},
    {"~ f + x", "(Intercept)|f[b]|f[c]|x", "0 1 1 2", {4095, 610, 2324, 6040}},
    {"y ~ f * g",
     "(Intercept)|f[b]|f[c]|g[q]|f[b]:g[q]|f[c]:g[q]",
     "0 1 1 2 3 3",
     {4095, 610, 2324, 1702, 546, 4}},
    {"y ~ f:g",
     "(Intercept)|f[a]:g[p]|f[b]:g[p]|f[c]:g[p]|f[a]:g[q]|f[b]:g[q]|f[c]:g[q]",
     "0 1 1 1 1 1 1",
     {4095, 9, 64, 2320, 1152, 546, 4}},
    {"y ~ 0 + f:g",
     "f[a]:g[p]|f[b]:g[p]|f[c]:g[p]|f[a]:g[q]|f[b]:g[q]|f[c]:g[q]",
     "1 1 1 1 1 1",
     {9, 64, 2320, 1152, 546, 4}},
    {"y ~ f:x + g",
     "(Intercept)|g[q]|f[a]:x|f[b]:x|f[c]:x",
     "0 1 2 2 2",
     {4095, 1702, 2105, 2117, 1818}},
    {"y ~ 0 + x:f + x:g",
     "x:f[a]|x:f[b]|x:f[c]|x:g[q]",
     "1 1 1 2",
     {2105, 2117, 1818, 3943}},
    {"y ~ 0 + x + x:f",
     "x|x:f[a]|x:f[b]|x:f[c]",
     "1 2 2 2",
     {6040, 2105, 2117, 1818}},
    {"y ~ f:x + f:g",
     "(Intercept)|f[a]:x|f[b]:x|f[c]:x|f[a]:g[q]|f[b]:g[q]|f[c]:g[q]",
     "0 1 1 1 2 2 2",
     {4095, 2105, 2117, 1818, 1152, 546, 4}},
    {"y ~ f:g + g:h + f:h",
     "(Intercept)|f[a]:g[p]|f[b]:g[p]|f[c]:g[p]|f[a]:g[q]|f[b]:g[q]|f[c]:g[q]|"
     "g[p]:h[v]|g[q]:h[v]|f[b]:h[v]|f[c]:h[v]",
     "0 1 1 1 1 1 1 2 2 3 3",
     {4095, 9, 64, 2320, 1152, 546, 4, 2376, 36, 96, 2308}},
    {"y ~ f + f:g:h",
     "(Intercept)|f[b]|f[c]|f[a]:g[p]:h[u]|f[b]:g[p]:h[u]|f[c]:g[p]:h[u]|f[a]:"
     "g[q]:h[u]|f[b]:g[q]:h[u]|f[c]:g[q]:h[u]|f[a]:g[p]:h[v]|f[b]:g[p]:h[v]|f["
     "c]:g[p]:h[v]|f[a]:g[q]:h[v]|f[b]:g[q]:h[v]|f[c]:g[q]:h[v]",
     "0 1 1 2 2 2 2 2 2 2 2 2 2 2 2",
     {4095, 610, 2324, 1, 0, 16, 1152, 514, 0, 8, 64, 2304, 0, 32, 4}},
    {"y ~ (f + g + h)^3 - f:g",
     "(Intercept)|f[b]|f[c]|g[q]|h[v]|f[b]:h[v]|f[c]:h[v]|g[q]:h[v]|f[b]:g[q]:"
     "h[u]|f[c]:g[q]:h[u]|f[b]:g[q]:h[v]|f[c]:g[q]:h[v]",
     "0 1 1 2 3 4 4 5 6 6 6 6",
     {4095, 610, 2324, 1702, 2412, 96, 2308, 36, 514, 0, 32, 4}},
    {"y ~ (x + z)^2:f",
     "(Intercept)|x:f[a]|x:f[b]|x:f[c]|z:f[a]|z:f[b]|z:f[c]|x:z:f[a]|x:z:f[b]|"
     "x:z:f[c]",
     "0 1 1 1 2 2 2 3 3 3",
     {4095, 2105, 2117, 1818, 5186, 4430, 10788, 8642, 15139, 8242}},
    {"y ~ g:f + f:g + g",
     "(Intercept)|g[q]|g[p]:f[b]|g[q]:f[b]|g[p]:f[c]|g[q]:f[c]",
     "0 1 2 2 2 2",
     {4095, 1702, 64, 546, 2320, 4}},
    {"y ~ -1 + g + f + f:g:x",
     "g[p]|g[q]|f[b]|f[c]|g[p]:f[a]:x|g[q]:f[a]:x|g[p]:f[b]:x|g[q]:f[b]:x|g[p]:"
     "f[c]:x|g[q]:f[c]:x",
     "1 1 2 2 3 3 3 3 3 3",
     {2393, 1702, 610, 2324, 25, 2080, 256, 1861, 1816, 2}},
    {"y ~ f/g",
     "(Intercept)|f[b]|f[c]|f[a]:g[q]|f[b]:g[q]|f[c]:g[q]",
     "0 1 1 2 2 2",
     {4095, 610, 2324, 1152, 546, 4}},
    {"y ~ (f + g)/h",
     "(Intercept)|f[b]|f[c]|g[q]|f[a]:g[p]:h[u]|f[b]:g[p]:h[u]|f[c]:g[p]:h[u]|"
     "f[a]:g[q]:h[u]|f[b]:g[q]:h[u]|f[c]:g[q]:h[u]|f[a]:g[p]:h[v]|f[b]:g[p]:h["
     "v]|f[c]:g[p]:h[v]|f[a]:g[q]:h[v]|f[b]:g[q]:h[v]|f[c]:g[q]:h[v]",
     "0 1 1 2 3 3 3 3 3 3 3 3 3 3 3 3",
     {4095, 610, 2324, 1702, 1, 0, 16, 1152, 514, 0, 8, 64, 2304, 0, 32, 4}},
    {"y ~ x/f/g",
     "(Intercept)|x|x:f[b]|x:f[c]|x:f[a]:g[q]|x:f[b]:g[q]|x:f[c]:g[q]",
     "0 1 2 2 3 3 3",
     {4095, 6040, 2117, 1818, 2080, 1861, 2}},
    {"y ~ f %in% (g + h)",
     "(Intercept)|f[a]:g[p]:h[u]|f[b]:g[p]:h[u]|f[c]:g[p]:h[u]|f[a]:g[q]:h[u]|"
     "f[b]:g[q]:h[u]|f[c]:g[q]:h[u]|f[a]:g[p]:h[v]|f[b]:g[p]:h[v]|f[c]:g[p]:h["
     "v]|f[a]:g[q]:h[v]|f[b]:g[q]:h[v]|f[c]:g[q]:h[v]",
     "0 1 1 1 1 1 1 1 1 1 1 1 1",
     {4095, 1, 0, 16, 1152, 514, 0, 8, 64, 2304, 0, 32, 4}},
    {"y ~ . - z - h",
     "(Intercept)|x|e|f[b]|f[c]|g[q]",
     "0 1 2 3 3 4",
     {4095, 6040, 11285, 610, 2324, 1702}},
    {"log(y) ~ (x + f + g)^2",
     "(Intercept)|x|f[b]|f[c]|g[q]|x:f[b]|x:f[c]|x:g[q]|f[b]:g[q]|f[c]:g[q]",
     "0 1 2 2 3 4 4 5 6 6",
     {4095, 6040, 610, 2324, 1702, 2117, 1818, 3943, 546, 4}},
    {"y ~ .^2 - f:g - e",
     "(Intercept)|x|z|f[b]|f[c]|g[q]|h[v]|x:z|x:e|x:f[b]|x:f[c]|x:g[q]|x:h[v]|"
     "z:e|z:f[b]|z:f[c]|z:g[q]|z:h[v]|e:f[b]|e:f[c]|e:g[q]|e:h[v]|f[b]:h[v]|f["
     "c]:h[v]|g[q]:h[v]",
     "0 1 2 3 3 4 5 6 7 8 8 9 10 11 12 12 13 14 15 15 16 17 18 18 19",
     {4095, 6040, 20404, 610,  2324,  1702, 2412,  32023, 24615,
      2117, 1818, 3943,  2138, 70982, 4430, 10788, 9490,  11140,
      5572, 4424, 6764,  4848, 96,    2308, 36}},
    {"y ~ I(x^2) * f + log(z)",
     "(Intercept)|I(x^2)|f[b]|f[c]|log(z)|I(x^2):f[b]|I(x^2):f[c]",
     "0 1 2 2 3 4 4",
     {4095, 13058.5, 610, 2324, 6322.8355193850693, 7436.5, 1445}},
    {"y ~ I(-x^2/z + 2 * (x - 1)) + exp(-x)",
     "(Intercept)|I(-x^2/z + 2 * (x - 1))|exp(-x)",
     "0 1 2",
     {4095, 652.31428571428557, 1327.7442086721837}},
    {"y ~ poly(x, 3, raw = TRUE)",
     "(Intercept)|poly(x, 3, raw = TRUE)[1]|poly(x, 3, raw = TRUE)[2]|poly(x, "
     "3, raw = TRUE)[3]",
     "0 1 1 1",
     {4095, 6040, 13058.5, 35920.75}},
    {"y ~ poly(x, 2, raw = TRUE):f",
     "(Intercept)|poly(x, 2, raw = TRUE)[1]:f[a]|poly(x, 2, raw = "
     "TRUE)[2]:f[a]|poly(x, 2, raw = TRUE)[1]:f[b]|poly(x, 2, raw = "
     "TRUE)[2]:f[b]|poly(x, 2, raw = TRUE)[1]:f[c]|poly(x, 2, raw = "
     "TRUE)[2]:f[c]",
     "0 1 1 1 1 1 1",
     {4095, 2105, 4177, 2117, 7436.5, 1818, 1445}},
    {"y ~ f:poly(x, 2, raw = TRUE):z",
     "(Intercept)|f[a]:poly(x, 2, raw = TRUE)[1]:z|f[b]:poly(x, 2, raw = "
     "TRUE)[1]:z|f[c]:poly(x, 2, raw = TRUE)[1]:z|f[a]:poly(x, 2, raw = "
     "TRUE)[2]:z|f[b]:poly(x, 2, raw = TRUE)[2]:z|f[c]:poly(x, 2, raw = "
     "TRUE)[2]:z",
     "0 1 1 1 1 1 1",
     {4095, 8642, 15139, 8242, 17026, 52311.5, 6345}},
    {"y ~ poly(x, 1, raw = TRUE) + f",
     "(Intercept)|poly(x, 1, raw = TRUE)|f[b]|f[c]",
     "0 1 2 2",
     {4095, 6040, 610, 2324}},
    {"y ~ factor(e) * f",
     "(Intercept)|factor(e)[2]|factor(e)[10]|f[b]|f[c]|factor(e)[2]:f[b]|"
     "factor(e)[10]:f[b]|factor(e)[2]:f[c]|factor(e)[10]:f[c]",
     "0 1 1 2 2 3 3 3 3",
     {4095, 2258, 548, 610, 2324, 66, 544, 2064, 4}},
    {"y ~ factor(e):x - 1",
     "factor(e)[1]:x|factor(e)[2]:x|factor(e)[10]:x",
     "1 1 1",
     {2329, 1853, 1858}},
    {"cbind(y, z) ~ x * g",
     "(Intercept)|x|g[q]|x:g[q]",
     "0 1 2 3",
     {4095, 6040, 1702, 3943}},
    {"y ~ x + offset(z) + f",
     "(Intercept)|x|f[b]|f[c]",
     "0 1 2 2",
     {4095, 6040, 610, 2324}},
    {"y ~ sqrt(abs(x - 2)) + log1p(z) + log2(z) + log10(z) + expm1(x)",
     "(Intercept)|sqrt(abs(x - 2))|log1p(z)|log2(z)|log10(z)|expm1(x)",
     "0 1 2 3 4 5",
     {4095, 3459.2676365592142, 7162.9145740680342, 9121.9234481734329,
      2745.9725760508172, 29619.157156230343}},
    {"y ~ sin(x) + cos(x) + tan(x) + I(2^-x) + I(x^z)",
     "(Intercept)|sin(x)|cos(x)|tan(x)|I(2^-x)|I(x^z)",
     "0 1 2 3 4 5",
     {4095, 2396.3071671518924, 795.74710928906563, 524.50692752052362,
      1776.9764956760328, 11608923.705078125}},
    {"y ~ x*f*g - x:f:g",
     "(Intercept)|x|f[b]|f[c]|g[q]|x:f[b]|x:f[c]|x:g[q]|f[b]:g[q]|f[c]:g[q]",
     "0 1 2 2 3 4 4 5 6 6",
     {4095, 6040, 610, 2324, 1702, 2117, 1818, 3943, 546, 4}},
    {"y ~ 1", "(Intercept)", "0", {4095}},
    {"y ~ f - 1 + 1", "(Intercept)|f[b]|f[c]", "0 1 1", {4095, 610, 2324}},
    {"y ~ x + (z - 1)", "x|z", "1 2", {6040, 20404}},
    {"y ~ f:x:g + .",
     "(Intercept)|x|z|e|f[b]|f[c]|g[q]|h[v]|f[a]:x:g[p]|f[b]:x:g[p]|f[c]:x:g[p]"
     "|f[a]:x:g[q]|f[b]:x:g[q]|f[c]:x:g[q]",
     "0 1 2 3 4 4 5 6 7 7 7 7 7 7",
     {4095, 6040, 20404, 11285, 610, 2324, 1702, 2412, 25, 256, 1816, 2080,
      1861, 2}},
    {"y ~ x:z + z:x + x:x + x",
     "(Intercept)|x|x:z",
     "0 1 2",
     {4095, 6040, 32023}},
};

enum { CASE_COUNT = sizeof CASES / sizeof *CASES };

#endif
