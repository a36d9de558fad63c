// Messages to the user: all problems at once, each with its place, what was expected, what came.

#include <gtest/gtest.h>

#include "esper/configs/load.h"

namespace esper::configs {
namespace {

Error refused(std::string_view yaml, const LoadOptions& options = {}) {
    auto result = parse_config(yaml, "test.yaml", options);
    EXPECT_FALSE(result) << yaml;
    return result ? Error("", "", 0, ErrorClass::kRuntime, "no error") : result.error();
}

void expect_problem(std::string_view yaml, ConfigError code, const std::string& message) {
    const Error error = refused(yaml);
    EXPECT_TRUE(error.is(code)) << error.to_string();
    EXPECT_EQ(error.message(), message);
    EXPECT_EQ(error.exit_code(), 2);
}

void expect_override_problem(const std::string& text, ConfigError code,
                             const std::string& message) {
    const Error error = refused("", {.overrides = {text}});
    EXPECT_TRUE(error.is(code)) << error.to_string();
    EXPECT_EQ(error.message(), "command line: " + message);
}

TEST(Report, NamesEveryProblemWithItsLine) {
    const Error error = refused(
        "run:\n"
        "  name: a/b\n"
        "growht:\n"
        "  enabled: true\n"
        "growth:\n"
        "  gate:\n"
        "    delta: 1.5\n",
        {.overrides = {"run.seed=-1", "nonsense"}, .env = {{"ESPER_GROWTH__STAR", "1"}}});
    EXPECT_TRUE(error.is(ConfigError::kSeveral));
    EXPECT_EQ(error.message(),
              "6 problems in the configuration\n"
              "  command line: expected key=value such as growth.gate.delta=0.1, got 'nonsense'\n"
              "  test.yaml:2: run.name: expected a name of letters, digits, '_', '-' and '.' (at "
              "most 100, no leading dot), got 'a/b'\n"
              "  test.yaml:3: unknown key 'growht' (did you mean 'growth'?)\n"
              "  test.yaml:7: growth.gate.delta: expected a number from 0 (excluded) to 1 "
              "(excluded), got '1.5'\n"
              "  environment: no key has the variable 'ESPER_GROWTH__STAR' (did you mean "
              "'ESPER_GROWTH__START'?)\n"
              "  command line: run.seed: expected a whole number of at least 0, got '-1'");
}

TEST(Report, ProblemsOfOneKindKeepTheirKind) {
    const Error error = refused("run:\n  sed: 1\n  thread: 2\n");
    EXPECT_TRUE(error.is(ConfigError::kUnknownKey)) << error.to_string();
}

TEST(Report, AnUnknownKeySaysWhatWasMeant) {
    expect_problem("growth:\n  gate:\n    detla: 0.1\n", ConfigError::kUnknownKey,
                   "test.yaml:3: unknown key 'detla' (did you mean 'delta'?) in section "
                   "'growth.gate'");
    expect_problem("run:\n  learning_rate: 0.1\n", ConfigError::kUnknownKey,
                   "test.yaml:2: unknown key 'learning_rate' in section 'run' (there is "
                   "'optimization.learning_rate')");
    expect_problem("xylophone: 1\n", ConfigError::kUnknownKey,
                   "test.yaml:1: unknown key 'xylophone'");
    expect_problem("logging:\n  context: 1\n", ConfigError::kUnknownKey,
                   "test.yaml:2: unknown key 'context' in section 'logging' (there is "
                   "'model.context', 'data.context')");
}

TEST(Report, AWrongValueSaysWhatIsTaken) {
    const auto bad = [](const std::string& yaml, const std::string& rest) {
        expect_problem(yaml, ConfigError::kBadValue, "test.yaml:" + rest);
    };
    bad("run: {device: cdua}\n",
        "1: run.device: expected one of cpu, cuda, got 'cdua' (did you mean "
        "'cuda'?)");
    bad("run: {device: quantum}\n", "1: run.device: expected one of cpu, cuda, got 'quantum'");
    bad("run: {threads: many}\n",
        "1: run.threads: expected a whole number from 0 to 1024, got 'many'");
    bad("run: {threads: 1e2}\n",
        "1: run.threads: expected a whole number from 0 to 1024, got '1e2'");
    bad("run: {epochs: 99999999999999999999}\n",
        "1: run.epochs: expected a whole number from 1 to 1000000, got '99999999999999999999'");
    bad("run: {deterministic: yes}\n",
        "1: run.deterministic: expected true or false, got 'yes' (did you mean 'true'?)");
    bad("run: {deterministic: off}\n",
        "1: run.deterministic: expected true or false, got 'off' (did you mean 'false'?)");
    bad("run: {deterministic: perhaps}\n",
        "1: run.deterministic: expected true or false, got 'perhaps'");
    bad("optimization: {learning_rate: 0}\n",
        "1: optimization.learning_rate: expected a number above 0, got '0'");
    bad("optimization: {learning_rate: .nan}\n",
        "1: optimization.learning_rate: expected a number above 0, got '.nan'");
    bad("optimization: {eps: +-1}\n", "1: optimization.eps: expected a number above 0, got '+-1'");
    bad("optimization: {warmup: 20}\n",
        "1: optimization.warmup: expected progress such as 20ep, 500ba or 5%, got '20' (a duration "
        "needs its unit)");
    bad("optimization: {warmup: 10s}\n",
        "1: optimization.warmup: expected progress such as 20ep, 500ba or 5%, got '10s'");
    bad("optimization: {warmup: 101%}\n",
        "1: optimization.warmup: expected progress such as 20ep, 500ba or 5%, got '101%'");
    bad("growth: {cooldown: 1.5ep}\n",
        "1: growth.cooldown: expected whole epochs such as 20ep, got '1.5ep'");
    bad("checkpoint: {every: 0s}\n",
        "1: checkpoint.every: expected a duration above zero such as 20ep, 500ba, 5%, 10s, 30m or "
        "72h, got '0s'");
    bad("telemetry: {retention: 3ep}\n",
        "1: telemetry.retention: expected a time above zero such as 250ms, 10s, 30m, 72h or 7d, "
        "got "
        "'3ep'");
    bad("optimization: {betas: [0.9]}\n",
        "1: optimization.betas: expected a list of two numbers, each from 0 to 1 (excluded), got "
        "the list '0.9'");
    bad("optimization: {betas: 0.9}\n",
        "1: optimization.betas: expected a list of two numbers, each from 0 to 1 (excluded), got "
        "'0.9'");
    bad("growth: {anchors: [a b, c]}\n",
        "1: growth.anchors: expected a list, each item a pattern of letters, digits, '_', '-', "
        "'.', '*' and '?', got the list 'a b, c', in which 'a b' is none");
    bad("growth: {anchors: [[a]]}\n",
        "1: growth.anchors: expected a list, each item a pattern of letters, digits, '_', '-', "
        "'.', '*' and '?', got a list that holds more than plain values");
    bad("run: {name: [a]}\n",
        "1: run.name: expected a name of letters, digits, '_', '-' and '.' (at most 100, no "
        "leading "
        "dot), got the list 'a'");
    bad("run:\n  name:\n",
        "2: run.name: expected a name of letters, digits, '_', '-' and '.' (at most 100, no "
        "leading "
        "dot), got nothing");
    bad("run:\n  name: {a: b}\n",
        "2: run.name: expected a name of letters, digits, '_', '-' and '.' (at most 100, no "
        "leading "
        "dot), got a section");
    bad("bus: {redis: {url: localhost}}\n",
        "1: bus.redis.url: expected a URL such as https://host:8000, or \"\", got 'localhost'");
    bad("services: {urza: {host: \"\"}}\n",
        "1: services.urza.host: expected a text that is not empty, got ''");
    bad("storage: {s3: {secret_key: \"a\\x01b\"}}\n",
        "1: storage.s3.secret_key: expected a text without control characters, got something else");
    bad("run: 5\n", "1: run: expected a section (keys with their values), got '5'");
    bad("run: [5]\n", "1: run: expected a section (keys with their values), got a list");
    bad("just words\n",
        "1: the document: expected a section (keys with their values), got 'just words'");
}

TEST(Report, ARepeatedKeyNamesBothLines) {
    expect_problem("run:\n  seed: 1\n  name: x\n  seed: 2\n", ConfigError::kDuplicateKey,
                   "test.yaml:4: key 'seed' is already set in line 2; keep one of the two");
    expect_problem("run:\n  seed: 1\nrun:\n  seed: [1, {a: b}]\n", ConfigError::kDuplicateKey,
                   "test.yaml:3: key 'run' is already set in line 1; keep one of the two");
}

TEST(Report, AnOverrideIsCheckedLikeTheFile) {
    expect_override_problem("growth.gate.dleta=0.1", ConfigError::kUnknownKey,
                            "unknown key 'dleta' (did you mean 'delta'?) in section 'growth.gate'");
    expect_override_problem("growth=1", ConfigError::kBadValue,
                            "'growth' is a section; name one of its keys, such as "
                            "'growth.enabled'");
    expect_override_problem("run.seed.x=1", ConfigError::kUnknownKey,
                            "'run.seed' is a value and has no key 'x'");
    expect_override_problem("=1", ConfigError::kBadOverride,
                            "expected key=value such as growth.gate.delta=0.1, got '=1'");
    expect_override_problem("growth.anchors=a b", ConfigError::kBadValue,
                            "growth.anchors: expected a list, each item a pattern of letters, "
                            "digits, '_', '-', '.', '*' and '?', got the list 'a b'");
}

TEST(Report, AVariableOfOursThatIsNoKeyIsNamed) {
    const auto error = [](const std::string& name) {
        return refused("", {.env = {{name, "1"}}}).message();
    };
    EXPECT_EQ(error("ESPER_GROWTH_GATE_DELTA"),
              "environment: no key has the variable 'ESPER_GROWTH_GATE_DELTA' (did you mean "
              "'ESPER_GROWTH__GATE__DELTA'?)");
    EXPECT_EQ(error("ESPER_GROWHT__START"),
              "environment: no key has the variable 'ESPER_GROWHT__START' (did you mean "
              "'ESPER_GROWTH__START'?)");
    EXPECT_EQ(error("ESPER_RUN"), "environment: no key has the variable 'ESPER_RUN'");
}

TEST(Report, ABadVariableIsNamed) {
    EXPECT_EQ(refused("", {.env = {{"ESPER_RUN__SEED", "x"}}}).message(),
              "environment variable ESPER_RUN__SEED: run.seed: expected a whole number of at "
              "least 0, got 'x'");
}

TEST(Report, ATabIsCalledATab) {
    expect_problem("run:\n\tname: x\n", ConfigError::kSyntax,
                   "test.yaml:2: a tab stands in the indentation; YAML takes blanks only");
    expect_problem("run:\n  name: x\n \tepochs: 3\nmodel:\n  depth: 1\n", ConfigError::kSyntax,
                   "test.yaml:3: a tab stands in the indentation; YAML takes blanks only");
}

TEST(Report, ADottedKeyInAFileIsToldToNest) {
    expect_problem("run.epochs: 2\n", ConfigError::kUnknownKey,
                   "test.yaml:1: unknown key 'run.epochs'; in a file sections nest: write 'run:' "
                   "and below it, indented, 'epochs: …'");
    expect_problem("growth:\n  gate.delta: 0.1\n", ConfigError::kUnknownKey,
                   "test.yaml:2: unknown key 'gate.delta' in section 'growth'; in a file sections "
                   "nest: write 'gate:' and below it, indented, 'delta: …'");
}

TEST(Report, AnUnknownProfileIsNamedOnceWhereverItComesFrom) {
    const std::string rest =
        "run.profile: expected one of none, development, testing, staging, production, "
        "phase1_mvp, got 'testign' (did you mean 'testing'?)";
    EXPECT_EQ(refused("run: {profile: testign}").message(), "test.yaml:1: " + rest);
    EXPECT_EQ(refused("", {.profile = "testign"}).message(), "profile: " + rest);
    EXPECT_EQ(refused("", {.overrides = {"run.profile=testign"}}).message(),
              "command line: " + rest);
    EXPECT_EQ(refused("", {.env = {{"ESPER_PROFILE", "testign"}}}).message(),
              "environment variable ESPER_PROFILE: " + rest);
    EXPECT_EQ(refused("", {.env = {{"ESPER_RUN__PROFILE", "testign"}}}).message(),
              "environment variable ESPER_RUN__PROFILE: " + rest);
}

TEST(Report, AMissingFileIsNamed) {
    const auto result = load_config({.path = "/nowhere/at/all.yaml"});
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(ConfigError::kUnreadable)) << result.error().to_string();
    EXPECT_NE(result.error().message().find("/nowhere/at/all.yaml"), std::string::npos);
    EXPECT_EQ(result.error().exit_code(), 2);
}

TEST(Report, LongAndHostileInputIsShortenedAndMadeVisible) {
    const Error error = refused("run: {device: \"\\e[31m" + std::string(500, 'x') + "\"}\n");
    EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
    EXPECT_NE(error.message().find("'\\x1b[31mxxx"), std::string::npos) << error.message();
    EXPECT_LT(error.message().size(), 160u);
    // A long text is not cut in the middle of a character.
    const Error cut = refused("run: {device: \"" + std::string(59, 'x') + "äöü\"}\n");
    EXPECT_NE(cut.message().find("x…'"), std::string::npos) << cut.message();
}

TEST(Report, ThousandsOfProblemsAreCountedNotListed) {
    std::string yaml;
    for (int i = 0; i < 2000; ++i) yaml += "key" + std::to_string(i) + ": 1\n";
    const Error error = refused(yaml);
    EXPECT_EQ(error.message().find("2000 problems in the configuration"), 0u);
    EXPECT_NE(error.message().find("… and 1950 more"), std::string::npos);
}

}  // namespace
}  // namespace esper::configs
