/* Every family and link against R 4.2's glm() on sixteen invented rows. The
 * numbers were printed by
 *   glm(y ~ x1 + x2, family, weights = , offset = ,
 *       control = glm.control(epsilon = 1e-300, maxit = 2000))
 * started again and again from its own coefficients; standard errors from
 * solve(crossprod(X, W * X)) at the final weights W times summary()'s
 * dispersion; then logLik(), deviance, null.deviance, AIC() and BIC(). */
#include "fixture.h"

enum { ROWS = 16, WIDTH = 3 };

static const char *const NAMES[] = {"x1",     "x2",        "positive",
                                    "count",  "binary",    "trials",
                                    "weight", "successes", "offset"};
enum { COLUMNS = sizeof NAMES / sizeof *NAMES };

static const double DATA[COLUMNS][ROWS] = {
    {0.2, 0.5, 0.9, 1.1, 1.4, 1.8, 2.0, 2.3, 2.7, 2.9, 3.1, 3.6, 3.8, 4.1, 4.5,
     4.9},
    {1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0},
    {1.3, 2.2, 1.1, 2.9, 2.1, 3.6, 1.9, 4.4, 3.2, 5.1, 3.3, 6.2, 8.1, 4.6, 5.9,
     9.4},
    {2, 1, 3, 2, 4, 3, 3, 6, 4, 7, 5, 6, 9, 7, 8, 12},
    {0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1},
    {4, 5, 3, 6, 5, 4, 7, 5, 6, 4, 5, 8, 6, 5, 7, 4},
    {1, 2, 1, 1, 3, 1, 2, 1, 1, 2, 1, 1, 2, 1, 3, 1},
    {0, 1, 1, 2, 2, 1, 3, 3, 2, 3, 3, 6, 4, 4, 6, 4},
    {0.1, -0.2, 0.3, 0, 0.2, -0.1, 0, 0.4, -0.3, 0.1, 0.2, 0, -0.2, 0.3, 0.1,
     -0.1},
};

typedef struct row {
    const char *family, *link, *target, *weights, *offset, *trials;
    double estimate[WIDTH], std_error[WIDTH];
    double dispersion, log_likelihood, deviance, null_deviance, aic, bic;
} row;

/* clang-format off */
static const row TABLE[] = {
    {"gaussian", "log", "positive", NULL, NULL, NULL,
     {0.649491804640595, 0.336213677036005, -0.442499265443589},
     {0.114891943942912, 0.0288642733662785, 0.075729316498113},
     0.379781663602589, -13.2966315261939, 4.93716162683365,
     85.504375, 34.5932630523877, 37.6836179413469},
    {"gaussian", "identity", "positive", "weight", "offset", NULL,
     {1.16420047101162, 1.45401903451439, -1.71319714570489},
     {0.56433111086287, 0.183877201998777, 0.522297090996679},
     1.60835022787273, -22.3586665668168, 20.9085529623455,
     131.39625, 52.7173331336336, 55.8076880225927},
    {"gamma", "inverse", "positive", NULL, NULL, NULL,
     {0.457423018241334, -0.0776702617394339, 0.0915935875080596},
     {0.0500479064898987, 0.0116367342515866, 0.0344056875227937},
     0.0702068643293354, -20.7382029775918, 1.04178379965194,
     5.40167070068917, 49.4764059551837, 52.5667608441428},
    {"gamma", "log", "positive", NULL, NULL, NULL,
     {0.604675293980047, 0.345231706800885, -0.410745582642904},
     {0.138476733822934, 0.0419109632764093, 0.117756941973864},
     0.0547246560960796, -16.9921743307014, 0.654888597751304,
     5.40167070068917, 41.9843486614028, 45.0747035503619},
    {"gamma", "identity", "positive", NULL, NULL, NULL,
     {1.8604135592539, 1.04277230976508, -1.00223572511379},
     {0.493547691068289, 0.17030607819848, 0.466087044013736},
     0.0786460913218197, -20.9405015289441, 1.06817012030979,
     5.40167070068917, 49.8810030578882, 52.9713579468473},
    {"gamma", "log", "positive", "weight", "offset", NULL,
     {0.54187146255509, 0.366930380621326, -0.476832341802737},
     {0.192690671678736, 0.0627848099768517, 0.178338169458915},
     0.187514138972487, -36.4291246424442, 2.36462713940826,
     9.85648303097825, 80.8582492848884, 83.9486041738475},
    {"inverse-gaussian", "1/mu^2", "positive", NULL, NULL, NULL,
     {0.167862749809228, -0.0334587974894724, 0.035473413408132},
     {0.0425945791988184, 0.00889439446420548, 0.0285812396526146},
     0.0398009188624152, -27.1937255550108, 0.684630526415835,
     1.65450561093425, 62.3874511100217, 65.4778059989808},
    {"inverse-gaussian", "inverse", "positive", NULL, NULL, NULL,
     {0.499680819503997, -0.0931486862442549, 0.110035822084159},
     {0.0558142784885435, 0.0137687871316164, 0.0419524580006438},
     0.0263704830963238, -23.0334160550516, 0.407011169174734,
     1.65450561093425, 54.0668321101031, 57.1571869990622},
    {"inverse-gaussian", "log", "positive", NULL, NULL, NULL,
     {0.593112294175307, 0.342994223328581, -0.381618159363403},
     {0.161124556878145, 0.054596897188908, 0.147557301783935},
     0.0262416447693861, -21.012563265647, 0.316155451919592,
     1.65450561093425, 50.0251265312941, 53.1154814202532},
    {"inverse-gaussian", "identity", "positive", NULL, NULL, NULL,
     {1.84351933538241, 0.957122637438262, -0.8575872418483},
     {0.475898412037564, 0.181422932978237, 0.453811998948361},
     0.0275508353580089, -23.0873740705192, 0.409765637204644,
     1.65450561093425, 54.1747481410385, 57.2651030299976},
    {"inverse-gaussian", "log", "positive", "weight", NULL, NULL,
     {0.528448587446973, 0.3549091650948, -0.360290520876123},
     {0.135712280624215, 0.0510837914794382, 0.134992864907656},
     0.035139545971306, -30.3563303306793, 0.415413588582022,
     2.32484862427615, 68.7126606613585, 71.8030155503176},
    {"binomial", "logit", "binary", NULL, NULL, NULL,
     {-1.70260171622422, 0.898684827964498, -0.374024228843143},
     {1.41060346575509, 0.493465448118708, 1.1804814324877},
     1, -8.59550914473895, 17.1910182894779,
     21.9300546328467, 23.1910182894779, 25.5087844561973},
    {"binomial", "probit", "binary", NULL, NULL, NULL,
     {-1.06858533025403, 0.542802215884243, -0.158771428899306},
     {0.82845931956752, 0.275731548420523, 0.697873062389997},
     1, -8.59767296548952, 17.195345930979,
     21.9300546328467, 23.195345930979, 25.5131120976984},
    {"binomial", "cloglog", "binary", NULL, NULL, NULL,
     {-1.61847061171813, 0.579247330186287, -0.0981960128511902},
     {1.00314145552573, 0.297601263815478, 0.741585690949403},
     1, -8.64556319027642, 17.2911263805528,
     21.9300546328467, 23.2911263805528, 25.6088925472722},
    {"binomial", "cauchit", "binary", NULL, NULL, NULL,
     {-2.72130886500239, 1.6685223953478, -1.92244228126023},
     {2.66195501899888, 1.40543035408077, 2.1204098192401},
     1, -8.25032735325901, 16.500654706518,
     21.9300546328467, 22.500654706518, 24.8184208732374},
    {"binomial", "logit", "successes", NULL, NULL, "trials",
     {-1.79423021141619, 0.818933261253955, -0.320363337949394},
     {0.634786035351313, 0.20653710734179, 0.498956742099889},
     1, -16.6205736434182, 4.92297806533618,
     25.7907296291657, 39.2411472868364, 41.5589134535557},
    {"binomial", "probit", "successes", NULL, NULL, "trials",
     {-1.10016540622147, 0.501462718113651, -0.191986847979563},
     {0.372671442949607, 0.11806575037025, 0.297889031774131},
     1, -16.541956797558, 4.76574437361581,
     25.7907296291657, 39.083913595116, 41.4016797618354},
    {"binomial", "cloglog", "successes", NULL, NULL, "trials",
     {-1.68430966000038, 0.566113718359843, -0.222416457634126},
     {0.465672754426331, 0.134572552166803, 0.322933779749952},
     1, -16.4594824754113, 4.60079572932236,
     25.7907296291657, 38.9189649508226, 41.2367311175419},
    {"binomial", "cauchit", "successes", NULL, NULL, "trials",
     {-1.64616280332079, 0.759947563935348, -0.365092322715673},
     {0.718870787417768, 0.266364073180159, 0.504222073209907},
     1, -16.9699808065369, 5.62179239157367,
     25.7907296291657, 39.9399616130739, 42.2577277797932},
    {"binomial", "logit", "successes", NULL, "offset", "trials",
     {-1.84135171700595, 0.821705145359833, -0.320400535652044},
     {0.647904509776011, 0.20778404268525, 0.501847324782204},
     1, -16.0391684690692, 3.76016771663819,
     24.8594654112021, 38.0783369381384, 40.3961031048577},
    {"poisson", "log", "count", NULL, NULL, NULL,
     {0.696395363527436, 0.367861615262051, -0.244403997344815},
     {0.312585740904601, 0.0841177151624361, 0.224980310051736},
     1, -28.1492842911072, 2.8251498199994,
     25.5444595276148, 62.2985685822144, 64.6163347489338},
    {"poisson", "sqrt", "count", NULL, NULL, NULL,
     {1.29506797052644, 0.402559780358396, -0.220905655805372},
     {0.295975181351828, 0.0895789827930695, 0.25168944481834},
     1, -28.3308393554623, 3.18825994870948,
     25.5444595276148, 62.6616787109245, 64.9794448776439},
    {"poisson", "identity", "count", NULL, NULL, NULL,
     {1.27678365532644, 1.63382785790825, -0.431860903746418},
     {1.06238611693273, 0.366648126512113, 1.01008926791767},
     1, -28.9286786935502, 4.38393862488529,
     25.5444595276148, 63.8573573871003, 66.1751235538197},
    {"poisson", "log", "count", "weight", "offset", NULL,
     {0.612815072124513, 0.402995154632629, -0.403896415793942},
     {0.240758478432647, 0.0700745948251839, 0.184325119520278},
     1, -42.3853855337832, 4.03652607473675,
     41.1848707310244, 90.7707710675665, 93.0885372342858},
};
/* clang-format on */

enum { TABLE_SIZE = sizeof TABLE / sizeof *TABLE };

static ng_frame *make_frame(void) {
    const double *values[COLUMNS];
    for (size_t j = 0; j < COLUMNS; j++)
        values[j] = DATA[j];
    return frame_of_arrays(ROWS, COLUMNS, NAMES, values);
}

/* R stops where the deviance no longer changes, which says of the estimates
 * that they are within sqrt(DBL_EPSILON) ~ 1.5e-8 standard errors; 15 digits
 * were printed. */
static void check_row(const row *r, const ng_model *model) {
    const ng_summary *s = ng_model_summary(model);
    ck_assert_msg(s->converged, "%s %s", r->family, r->link);
    ck_assert_uint_eq(s->warnings, 0);
    for (size_t i = 0; i < WIDTH; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s %s coefficient %zu", r->family, r->link,
                 i);
        ck_assert_msg(fabs(estimate(model, i) - r->estimate[i]) <=
                          1.5e-8 * r->std_error[i],
                      "%s: %.17g, R has %.17g", what, estimate(model, i),
                      r->estimate[i]);
        check_relative(what, std_error(model, i), r->std_error[i], 1e-8);
    }
    check_relative("dispersion", s->dispersion, r->dispersion, 1e-8);
    check_relative("log-likelihood", s->log_likelihood, r->log_likelihood,
                   1e-11);
    check_relative("deviance", s->deviance, r->deviance, 1e-11);
    check_relative("null deviance", s->null_deviance, r->null_deviance, 1e-11);
    check_relative("AIC", s->aic, r->aic, 1e-11);
    check_relative("BIC", s->bic, r->bic, 1e-11);
}

START_TEST(glm_agrees_with_R) {
    static const char *const features[] = {"x1", "x2"};
    const row *r = &TABLE[_i];
    ng_frame *frame = make_frame();
    ng_glm_options options = glm_options(r->family, r->link, r->target);
    options.features = features;
    options.feature_count = 2;
    options.weights = r->weights;
    options.offset = r->offset;
    options.trials = r->trials;
    ng_model *model = fit_glm(frame, &options);
    check_row(r, model);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
}
END_TEST

static void add(TCase *tests) {
    tcase_add_loop_test(tests, glm_agrees_with_R, 0, TABLE_SIZE);
}

int main(void) {
    return learner_main("learner_r", add);
}
