#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <thread>

#include "esper/base/text.h"
#include "esper/services/urza/library.h"
#include "urza/library_home.h"

// Workers as processes that are killed and stopped while they work: every job is done once.

namespace esper::urza {
namespace {

using esper::testing::FolderHome;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLease{400};
constexpr const char* kHere = "this machine";

/// Each line that a worker writes is whole: it is killed in between.
void note(int log, const std::string& line) {
    (void)!::write(log, (line + "\n").data(), line.size() + 1);
}

/// Never returns.
[[noreturn]] void be_a_worker(const std::filesystem::path& path, int log, const std::string& name,
                              milliseconds takes) {
    const auto library = open_folder_library(path);
    while (library) {
        const auto claim = (*library)->claim(kHere, name, kLease);
        if (!claim || !*claim) {
            std::this_thread::sleep_for(milliseconds(20));
            continue;
        }
        const auto end = steady_clock::now() + takes;
        Status extended;
        while (extended && steady_clock::now() < end) {
            std::this_thread::sleep_for(std::min(takes, kLease / 4));
            extended = (*library)->extend(**claim, kLease);
        }
        const auto finished = (*library)->finish(**claim, name);
        note(log, (*claim)->id + (finished ? " done" : " stale"));
    }
    ::_exit(1);
}

class Workers {
  public:
    explicit Workers(std::filesystem::path library)
        : library_(std::move(library)),
          path_(library_.parent_path() / "log"),
          log_(::open(path_.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)) {}
    ~Workers() {
        for (const auto& [pid, name] : running_) end(pid);
        ::close(log_);
    }
    pid_t start(const std::string& name, milliseconds takes = milliseconds(3)) {
        const pid_t pid = ::fork();
        if (pid == 0) be_a_worker(library_, log_, name, takes);
        running_[pid] = name;
        return pid;
    }
    /// Not this one.
    void kill_one_and_start_another(pid_t spared) {
        auto chosen = running_.begin();
        while (chosen->first == spared) ++chosen;
        const auto [pid, name] = *chosen;
        end(pid);
        running_.erase(pid);
        start(name);
    }
    std::multimap<std::string, std::string> said() const {
        std::multimap<std::string, std::string> all;
        for (const auto& line : split(value_or_throw(read_file(path_)), '\n'))
            if (const auto words = split(line, ' '); words.size() == 2)
                all.emplace(words[1], words[0]);
        return all;
    }

  private:
    static void end(pid_t pid) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    const std::filesystem::path library_, path_;
    const int log_;
    std::map<pid_t, std::string> running_;
};

std::vector<WorkRow> leased(DatabaseLibrary& library) {
    return value_or_throw(library.work(WorkState::kLeased, "", 1000));
}

TEST(ForgeWorkers, EachJobIsDoneOnceHoweverWorkersEnd) {
    constexpr int kJobs = 200;
    FolderHome home;
    {
        const auto library = value_or_throw(open_folder_library(home.path()));
        for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(library->order({"", kHere, std::to_string(i)}));
    }
    Workers workers(home.path());
    const pid_t frozen = workers.start("frozen", 4 * kLease);
    for (int i = 0; i < 7; ++i) workers.start("worker-" + std::to_string(i));

    const auto library = value_or_throw(open_folder_library(home.path()));
    const auto open_jobs = [&] {
        return library->work(WorkState::kWaiting, "", 1)->size() + leased(*library).size();
    };
    bool is_frozen = false;
    auto next_kill = steady_clock::now();
    const auto begun = steady_clock::now();
    while (open_jobs() > 0 && steady_clock::now() - begun < std::chrono::seconds(60)) {
        for (const auto& row : leased(*library)) {
            if (row.worker == "frozen" && !is_frozen) {
                is_frozen = true;
                ::kill(frozen, SIGSTOP);
            }
            const auto late = system_clock().utc_ns() / 1'000'000 - row.leased_until;
            EXPECT_LT(late, 2 * kLease.count() + 3000) << "nobody took over " << row.id;
        }
        if (steady_clock::now() > next_kill) {
            next_kill += milliseconds(150);
            workers.kill_one_and_start_another(frozen);
        }
        std::this_thread::sleep_for(milliseconds(10));
    }
    ASSERT_TRUE(is_frozen);
    const auto rows = *library->work({}, "", 1000);
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kJobs));
    for (const auto& row : rows) EXPECT_EQ(row.state, WorkState::kDone) << row.said;
    const auto said = workers.said();
    std::map<std::string, int> times;
    for (auto [from, to] = said.equal_range("done"); from != to; ++from) ++times[from->second];
    for (const auto& [id, count] : times) EXPECT_EQ(count, 1) << id;
    EXPECT_GT(times.size(), static_cast<std::size_t>(kJobs) * 3 / 4);
}

TEST(ForgeWorkers, OneThatWasStoppedBeyondItsLeaseHandsInNothing) {
    FolderHome home;
    {
        const auto library = value_or_throw(open_folder_library(home.path()));
        ASSERT_TRUE(library->order({"", kHere, "one"}));
    }
    Workers workers(home.path());
    const pid_t frozen = workers.start("frozen", 2 * kLease);
    const auto library = value_or_throw(open_folder_library(home.path()));
    for (int i = 0; i < 2000 && leased(*library).empty(); ++i)
        std::this_thread::sleep_for(milliseconds(5));
    ASSERT_EQ(leased(*library).size(), 1u);
    ::kill(frozen, SIGSTOP);
    std::this_thread::sleep_for(2 * kLease);
    const auto taken = *library->claim(kHere, "awake", milliseconds(60'000));
    ASSERT_TRUE(taken);
    ::kill(frozen, SIGCONT);
    for (int i = 0; i < 2000 && workers.said().count("stale") == 0; ++i)
        std::this_thread::sleep_for(milliseconds(5));
    EXPECT_EQ(workers.said().count("stale"), 1u);
    EXPECT_EQ(leased(*library).size(), 1u);
    ASSERT_TRUE(library->finish(*taken, "awake"));
    EXPECT_EQ(library->work_of(taken->id)->said, "awake");
}

}  // namespace
}  // namespace esper::urza
