#include "esper/utils/logging.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/temporary_folder.h"
#include "esper/base/files.h"

namespace esper::utils {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

/// Collects lines; can be set to fail or to block.
class TestSink final : public LogSink {
  public:
    struct State {
        std::mutex mutex;
        std::condition_variable released;
        std::string text;
        bool stuck = false;
        bool failing = false;
    };
    explicit TestSink(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Status write(std::string_view lines) override {
        std::unique_lock lock(state_->mutex);
        state_->released.wait(lock, [this] { return !state_->stuck; });
        if (state_->failing) return fail(LogError::kCannotWrite, "the disk is full");
        state_->text += lines;
        return {};
    }

  private:
    std::shared_ptr<State> state_;
};

struct Harness {
    explicit Harness(LogOptions options = {.format = LogFormat::kJson})
        : state(std::make_shared<TestSink::State>()),
          logger(std::make_unique<TestSink>(state), options) {}

    std::vector<std::string> lines() {
        EXPECT_TRUE(logger.flush(std::chrono::minutes(2)));  // a busy machine starves the writer
        const std::lock_guard lock(state->mutex);
        std::vector<std::string> out;
        std::istringstream in(state->text);
        for (std::string line; std::getline(in, line);) out.push_back(line);
        return out;
    }
    Json only() {
        const auto all = lines();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? Json() : Json::parse(all[0]);
    }

    std::shared_ptr<TestSink::State> state;
    Logger logger;
};

#define LOG(level, ...) ESPER_LOG_TO(&h.logger, LogLevel::level, __VA_ARGS__)

TEST(Logging, WritesStructuredJsonWithEveryKindOfField) {
    Harness h;
    const std::string text = "quote \" line\nend \xff \xC3\xA9";
    LOG(kInfo, "kernel loaded", kv("i", -3), kv("u", 7u), kv("r", 0.25), kv("b", true),
        kv("t", text), kv("nan", std::numeric_limits<double>::quiet_NaN()));
    const Json j = h.only();
    EXPECT_EQ(j["level"], "info");
    EXPECT_EQ(j["message"], "kernel loaded");
    EXPECT_EQ(j["i"], -3);
    EXPECT_EQ(j["u"], 7);
    EXPECT_EQ(j["r"], 0.25);
    EXPECT_EQ(j["b"], true);
    EXPECT_EQ(j["t"], "quote \" line\nend \xEF\xBF\xBD \xC3\xA9");
    EXPECT_EQ(j["nan"], "nan");
    EXPECT_TRUE(j["site"].get<std::string>().starts_with("logging_test.cpp:"));
    EXPECT_EQ(j["ts"].get<std::string>().back(), 'Z');
    EXPECT_FALSE(j.contains("trace"));
}

TEST(Logging, WritesOneLineOfTextPerRecordWhateverTheValuesHold) {
    Harness h({.format = LogFormat::kText});
    LOG(kWarning, "odd value", kv("path", "a b\nc"), kv("n", 5), kv("plain", "x"), kv("none", ""));
    const auto lines = h.lines();
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("warning odd value path=\"a b\\nc\" n=5 plain=x none=\"\""),
              std::string::npos)
        << lines[0];
}

TEST(Logging, RecordsBelowTheLevelAreNotMade) {
    Harness h({.level = LogLevel::kWarning});
    LOG(kInfo, "quiet");
    EXPECT_TRUE(h.lines().empty());
    h.logger.set_level(LogLevel::kDebug);
    LOG(kDebug, "loud");
    EXPECT_EQ(h.lines().size(), 1u);
    EXPECT_EQ(log_level_name(LogLevel::kOff), "off");
}

TEST(Logging, CarriesTheTraceIdOfItsThread) {
    Harness h;
    const TraceId id = TraceId::make();
    {
        const TraceScope outer(id);
        { const TraceScope inner(TraceId::make()); }
        LOG(kInfo, "inside");
    }
    EXPECT_EQ(h.only()["trace"], id.hex());
    EXPECT_EQ(TraceId::parse(id.hex()), id);
    EXPECT_FALSE(TraceId::current().is_set());
    EXPECT_FALSE(TraceId::parse("12"));
    EXPECT_FALSE(TraceId::parse(std::string(31, '0') + "g"));
    EXPECT_FALSE(TraceId::parse("g" + std::string(31, '0')));
}

TEST(Logging, TheTraceStandsInTextToo) {
    Harness h({.format = LogFormat::kText});
    const TraceScope scope(*TraceId::parse(std::string(32, 'a')));
    LOG(kError, "inside");
    EXPECT_NE(h.lines().at(0).find("trace=" + std::string(32, 'a')), std::string::npos);
}

TEST(Logging, MasksSecretsByNameByShapeAndByRegistration) {
    Harness h;
    h.logger.add_secret("hunter2hunter2");
    h.logger.add_secret("abc");
    LOG(kInfo, "secrets", kv("db_password", "p"), kv("aws_secret_access_key", "k"),
        kv("api_token", "t"), kv("tokens", 512), kv("a", "id AKIAIOSFODNN7EXAMPLE end"),
        kv("b", "Authorization: Bearer abc.def"), kv("c", "https://me:pw@host/x?token=zzz&y=1"),
        kv("d", "said hunter2hunter2!"), kv("e", "abc AKIA12 eyJ"));
    const Json j = h.only();
    EXPECT_EQ(j["db_password"], "***");
    EXPECT_EQ(j["aws_secret_access_key"], "***");
    EXPECT_EQ(j["api_token"], "***");
    EXPECT_EQ(j["tokens"], 512);
    EXPECT_EQ(j["a"], "id *** end");
    EXPECT_EQ(j["b"], "Authorization: Bearer ***");
    EXPECT_EQ(j["c"], "https://me:***@host/x?token=***&y=1");
    EXPECT_EQ(j["d"], "said ***!");
    EXPECT_EQ(j["e"], "abc AKIA12 eyJ");
}

TEST(Scrubber, MasksWebTokensAndLeavesMarkersWithoutValueAlone) {
    Scrubber s;
    EXPECT_EQ(s.scrub("eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIi.sig x"), "*** x");
    EXPECT_EQ(s.scrub("password= and http://host:80/a"), "password= and http://host:80/a");
}

TEST(Logging, LimitsTheRatePerSiteAndSaysHowManyWereSwallowed) {
    Harness h({.format = LogFormat::kJson, .site_limit = 3});
    const auto noisy = [&] { LOG(kInfo, "again and again"); };
    for (int i = 0; i < 10; ++i) noisy();
    LOG(kInfo, "another site");
    EXPECT_EQ(h.lines().size(), 4u);
    EXPECT_EQ(h.logger.statistics().suppressed, 7u);
    std::this_thread::sleep_for(1050ms);
    noisy();
    const auto lines = h.lines();
    ASSERT_EQ(lines.size(), 5u);
    EXPECT_EQ(Json::parse(lines.back())["suppressed"], 7);
}

TEST(Logging, NeverWaitsForAStuckSinkButDropsAndCounts) {
    Harness h({.format = LogFormat::kJson, .queue = 64, .site_limit = 0});
    {
        const std::lock_guard lock(h.state->mutex);
        h.state->stuck = true;
    }
    // A call that waited, for the sink or for room in the queue, would give up the processor. Other
    // programs can only take it away, which is counted apart, so this holds on a busy machine.
    const auto waits = [] {
        rusage use{};
        getrusage(RUSAGE_THREAD, &use);
        return use.ru_nvcsw;
    };
    const auto before = waits();
    for (int i = 0; i < 10'000; ++i) LOG(kInfo, "flood", kv("i", i));
    EXPECT_LE(waits() - before, 10);
    EXPECT_FALSE(h.logger.flush(20ms));
    {
        const std::lock_guard lock(h.state->mutex);
        h.state->stuck = false;
    }
    h.state->released.notify_all();
    const auto lines = h.lines();
    const LogStatistics s = h.logger.statistics();
    EXPECT_GT(s.dropped, 9000u);
    std::uint64_t reported = 0;
    std::uint64_t flood = 0;
    for (const std::string& line : lines) {
        const Json j = Json::parse(line);
        if (j["message"].get<std::string>() == "flood") {
            ++flood;
        } else {
            reported += j["count"].get<std::uint64_t>();
        }
    }
    EXPECT_EQ(flood + s.dropped, 10'000u);
    EXPECT_EQ(reported, s.dropped);
}

TEST(Logging, IsLoudOnceWhenItCannotWriteAndGoesOnWhenItCanAgain) {
    testing::internal::CaptureStderr();
    Harness h;
    h.state->failing = true;
    for (int i = 0; i < 3; ++i) {
        LOG(kInfo, "lost");
        EXPECT_TRUE(h.logger.flush());
    }
    {
        const std::lock_guard lock(h.state->mutex);
        h.state->failing = false;
    }
    LOG(kInfo, "kept");
    EXPECT_EQ(h.only()["message"], "kept");
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "esper: the log is being lost: the disk is full\n");
    EXPECT_EQ(h.logger.statistics().unwritten, 3u);
    EXPECT_EQ(h.logger.statistics().written, 1u);
}

TEST(Logging, KeepsEveryRecordOfManyThreadsAndEachThreadsOrder) {
    constexpr int kThreads = 4;
    constexpr int kEach = 2000;
    Harness h({.format = LogFormat::kJson, .queue = 16384, .site_limit = 0});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&h, t] {
            for (int i = 0; i < kEach; ++i) LOG(kInfo, "n", kv("t", t), kv("i", i));
        });
    }
    for (auto& t : threads) t.join();
    std::vector<int> next(kThreads, 0);
    for (const std::string& line : h.lines()) {
        const Json j = Json::parse(line);
        EXPECT_EQ(j["i"], next[j["t"]]++);
    }
    EXPECT_EQ(next, std::vector<int>(kThreads, kEach));
}

TEST(Logging, CutsTextsThatDoNotFitAndSaysSo) {
    Harness h;
    LOG(kInfo, "long", kv("t", std::string(2000, 'x')), kv("after", 1));
    const Json j = h.only();
    EXPECT_EQ(j["cut"], true);
    EXPECT_GT(j["t"].get<std::string>().size(), 300u);
    EXPECT_FALSE(j.contains("after"));
    Harness text({.format = LogFormat::kText});
    ESPER_LOG_TO(&text.logger, LogLevel::kInfo, "long", kv("t", std::string(2000, 'x')));
    EXPECT_NE(text.lines().at(0).find("(cut)"), std::string::npos);
}

TEST(Logging, TheDestructorWritesWhatIsQueued) {
    auto state = std::make_shared<TestSink::State>();
    {
        Logger logger(std::make_unique<TestSink>(state), {.site_limit = 0});
        for (int i = 0; i < 100; ++i) ESPER_LOG_TO(&logger, LogLevel::kInfo, "x");
    }
    EXPECT_EQ(std::count(state->text.begin(), state->text.end(), '\n'), 100);
}

TEST(Logging, TheMacrosUseTheDefaultLoggerAndDoNothingWithoutOne) {
    ESPER_LOG_INFO("nobody listens");
    {
        Harness h({.level = LogLevel::kDebug});
        set_default_logger(&h.logger);
        ESPER_LOG_DEBUG("a", kv("k", 1));
        ESPER_LOG_INFO("b");
        ESPER_LOG_WARNING("c");
        ESPER_LOG_ERROR("d");
        EXPECT_EQ(h.lines().size(), 4u);
    }
    EXPECT_EQ(default_logger(), nullptr);
}

class LogFiles : public testing::Test {
  protected:
    TemporaryFolder dir;
};

TEST_F(LogFiles, AppendAndRotateWithoutLosingALine) {
    for (int run = 0; run < 2; ++run) {
        auto sink = file_sink(dir / "log", 100, 2);
        ASSERT_TRUE(sink);
        for (int i = 0; i < 2; ++i) {
            EXPECT_TRUE(
                (*sink)->write(std::string(59, static_cast<char>('a' + 2 * run + i)) + "\n"));
        }
    }
    EXPECT_EQ(read_file(dir / "log")->front(), 'd');
    EXPECT_EQ(read_file(dir / "log.1")->front(), 'c');
    EXPECT_EQ(read_file(dir / "log.2")->front(), 'b');
    EXPECT_FALSE(std::filesystem::exists(dir / "log.3"));
    auto none_kept = file_sink(dir / "solo", 10, 0);
    EXPECT_TRUE((*none_kept)->write("12345678\n"));
    EXPECT_TRUE((*none_kept)->write("abcdefgh\n"));
    EXPECT_EQ(*read_file(dir / "solo"), "abcdefgh\n");
}

TEST_F(LogFiles, SayWhyTheyCannotBeOpenedOrWritten) {
    const auto missing = file_sink(dir / "no" / "log");
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().is(LogError::kCannotOpen));
    auto full = file_sink("/dev/full");
    ASSERT_TRUE(full);
    const Status s = (*full)->write("x\n");
    ASSERT_FALSE(s);
    EXPECT_TRUE(s.error().is(LogError::kCannotWrite));
    EXPECT_NE(s.error().message().find("No space left"), std::string::npos);
}

TEST(LogStderr, WritesToStandardError) {
    testing::internal::CaptureStderr();
    EXPECT_TRUE(stderr_sink()->write("line\n"));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "line\n");
}

}  // namespace
}  // namespace esper::utils
