// What a durable write to the library costs beside what the disk needs for it: the same bytes
// appended to a file with one fdatasync. Both write to the same folder, in turn. Where
// ESPER_BENCH_POSTGRES has the address of an empty library in PostgreSQL, the same of it.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/temporary_folder.h"
#include "bench_report.h"
#include "esper/services/urza/database_library.h"

namespace {

using namespace esper;
using Clock = std::chrono::steady_clock;

constexpr int kPairs = 400;
constexpr int kWriters = 64;
constexpr int kRounds = 20;

double microseconds(Clock::time_point from) {
    return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

/// A run of one seed, another one at each call.
urza::FieldRun run_of(const std::string& blueprint) {
    static std::atomic<int> count = 0;
    urza::FieldRun run;
    run.id = "run-" + std::to_string(++count);
    run.host = "gpt";
    contracts::FieldReport report;
    report.blueprint_id = blueprint;
    report.kernel_artifact_id = "b3d4f5-x86-fast-a1c3b2";
    report.at.layer = "layer1.0";
    run.reports.push_back({report, run.id, "s1", run.host});
    return run;
}

std::string add_blueprint(urza::DatabaseLibrary& library) {
    contracts::BlueprintSubmission submission;
    submission.name = submission.description = submission.submitted_by = "bench";
    submission.architecture =
        "esper-program 1 \"branch\"\ninput x: f32[?, 64]\nparam w: f32[64, 64] normal(0.1)\n"
        "%0 = aten::linear(x, w, none)\noutput y: %0\n";
    return value_or_throw(library.add_blueprint(submission));
}

/// One sync of as many bytes as a commit of SQLite writes: three pages.
class PlainFile {
  public:
    explicit PlainFile(const std::filesystem::path& path)
        : fd_(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600)), page_(3 * 4096, 'x') {}
    ~PlainFile() { ::close(fd_); }
    void write() {
        if (::write(fd_, page_.data(), page_.size()) < 0 || ::fdatasync(fd_) != 0)
            throw std::runtime_error("the plain file cannot be written");
    }

  private:
    int fd_;
    std::string page_;
};

void one_writer(bench::Report& report, urza::DatabaseLibrary& library, PlainFile& plain,
                const std::string& of) {
    const auto blueprint = add_blueprint(library);
    std::vector<double> ratios;
    bench::Samples s;
    for (int i = -20; i < kPairs; ++i) {
        auto began = Clock::now();
        plain.write();
        const double peer = microseconds(began);
        began = Clock::now();
        value_or_throw(library.file_run(run_of(blueprint)));
        const double ours = microseconds(began);
        if (i < 0) continue;
        s.ours.push_back(ours);
        s.peer.push_back(peer);
        ratios.push_back(ours / peer);
    }
    report.add_pairs("durable write, 1 writer" + of, "us", s, "write + fdatasync");
    // A server syncs its own log, and is asked several times for a change.
    if (of.empty()) report.add_goal("durable write", "fdatasyncs", ratios, 2.2);
}

void many_writers(bench::Report& report, urza::DatabaseLibrary& library, const std::string& of) {
    const auto blueprint = add_blueprint(library);
    std::vector<double> sharing;
    for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t before = library.commits();
        std::vector<std::thread> threads;
        constexpr int kEach = 16;
        for (int t = 0; t < kWriters; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < kEach; ++i) value_or_throw(library.file_run(run_of(blueprint)));
            });
        for (auto& thread : threads) thread.join();
        sharing.push_back(double(kWriters) * kEach / double(library.commits() - before));
    }
    report.add_goal("writes that share a sync, 64 writers" + of, "writes", sharing, 15, 0.5,
                    bench::Better::kHigher);
}

void reads(bench::Report& report, urza::DatabaseLibrary& library, const std::string& of) {
    const std::string id = add_blueprint(library);
    std::vector<double> us;
    for (int i = 0; i < 4000; ++i) {
        const auto began = Clock::now();
        value_or_throw(library.blueprint(id));
        us.push_back(microseconds(began));
    }
    report.add_goal("read of one blueprint, p50" + of, "us", us, 300);
    report.add_goal("read of one blueprint, p99" + of, "us", us, 2000, 0.99);
}

void measure(bench::Report& report, urza::DatabaseLibrary& library, PlainFile& plain,
             const std::string& of) {
    one_writer(report, library, plain, of);
    many_writers(report, library, of);
    reads(report, library, of);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("urza_database");
    const TemporaryFolder folder;
    const auto library = value_or_throw(urza::open_folder_library(folder / "library"));
    PlainFile plain(folder / "plain");
    measure(report, *library, plain, "");
    if (const char* address = std::getenv("ESPER_BENCH_POSTGRES"); address != nullptr) {
        const auto server = value_or_throw(urza::open_postgres_library(address));
        measure(report, *server, plain, ", PostgreSQL");
    }
    return report.finish(argc, argv);
}
