#include "esper/execution/kernels/bubblewrap.h"

#include <dirent.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>

namespace esper::execution {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCompiler = "/usr/bin/g++";
// Sanitizers need more address space than there is memory.
constexpr ChildLimits kNoLimit{.memory_bytes = 0};

/// In bubblewrap itself, not at the level that this machine happens to have.
class Bubblewrap : public testing::Test {
  protected:
    void SetUp() override {
        if (sandbox_level() < SandboxLevel::kNamespaces) GTEST_SKIP() << sandbox().why_not_higher;
    }
    ChildEnd run(const std::vector<std::string>& command, const ChildLimits& limits = {}) const {
        return value_or_throw(run_in_bubblewrap(find_bubblewrap(), command, folder.path(), limits));
    }
    ChildEnd compile(const std::string& source, const std::string& to = "-S") const {
        std::ofstream(folder.path() / "job.cpp") << source;
        return run({kCompiler, "-w", "job.cpp", to, "-o", "job"});
    }
    WorkFolder folder = value_or_throw(WorkFolder::make());
};

TEST_F(Bubblewrap, ACompilerWorksThere) {
    if (::access(kCompiler, X_OK) != 0) GTEST_SKIP() << "no g++ here";
    const auto end = compile("int main() { return 0; }");
    EXPECT_TRUE(end.ended_well()) << end.how() << ": " << end.output;
    EXPECT_EQ(end.output, "");
    EXPECT_EQ(end.sandbox, SandboxLevel::kNamespaces);
    EXPECT_GT(end.cpu_seconds, 0.001) << "the compiler's time is not counted";
    EXPECT_TRUE(fs::exists(folder.path() / "job"));
}

TEST_F(Bubblewrap, ASourceReadsNoFileOutside) {
    if (::access(kCompiler, X_OK) != 0) GTEST_SKIP() << "no g++ here";
    const auto other = value_or_throw(WorkFolder::make());
    const auto secret = (other.path() / "secret").string();
    std::ofstream(secret) << "int secret;";
    for (const auto& path :
         {secret, std::string("/etc/passwd"), std::string("/proc/self/status")}) {
        EXPECT_FALSE(compile(fmt::format("#include \"{}\"\n", path)).ended_well()) << path;
        EXPECT_FALSE(compile(fmt::format("asm(\".incbin \\\"{}\\\"\");", path), "-c").ended_well())
            << path;
    }
}

/// A program that does what a compiler that was taken over would, and prints what it could do.
constexpr const char* kAttack = R"(
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>
static void could(bool done, const char* what) { if (done) std::printf("%s\n", what); }
int main(int, char** words) {
    const int tester = std::atoi(words[1]);
    could(kill(tester, 0) == 0, "see another process");
    could(ptrace(PTRACE_ATTACH, tester, 0, 0) == 0, "trace another process");
    could(opendir("/proc") != nullptr, "list processes");
    could(shmget(std::atoi(words[2]), 1, 0) >= 0, "see shared memory");
    could(open(words[3], O_RDONLY) >= 0, "read a file outside");
    could(open("/etc/shadow", O_RDONLY) >= 0, "read passwords");
    could(open("/tmp/esper-outside", O_WRONLY | O_CREAT, 0600) >= 0, "write beside the folder");
    could(open("/esper-outside", O_WRONLY | O_CREAT, 0600) >= 0, "write above the folder");
    could(open("/usr/bin/esper-outside", O_WRONLY | O_CREAT, 0600) >= 0, "write a program");
    could(open("/dev/tty", O_RDWR) >= 0, "open the terminal");
    could(socket(AF_INET, SOCK_STREAM, 0) >= 0, "open a socket");
    could(socket(AF_UNIX, SOCK_STREAM, 0) >= 0, "open a local socket");
    could(unshare(CLONE_NEWNS) == 0, "make a namespace");
    could(chroot(".") == 0, "change its root");
    could(open("inside", O_WRONLY | O_CREAT, 0600) >= 0, "write inside");
}
)";

TEST_F(Bubblewrap, AProgramThatWasTakenOverWritesToItsFolderAndNothingElse) {
    if (::access(kCompiler, X_OK) != 0) GTEST_SKIP() << "no g++ here";
    const auto other = value_or_throw(WorkFolder::make());
    const auto secret = (other.path() / "secret").string();
    std::ofstream(secret) << "secret";
    const key_t key = 0x65737065 + ::getpid();
    const int memory = ::shmget(key, 1, IPC_CREAT | 0666);
    const auto made = compile(kAttack, "-O1");
    ASSERT_TRUE(made.ended_well()) << made.output;
    const auto end = run({(folder.path() / "job").string(), std::to_string(::getpid()),
                          std::to_string(key), secret});
    if (memory >= 0) ::shmctl(memory, IPC_RMID, nullptr);
    EXPECT_TRUE(end.ended_well()) << end.how();
    EXPECT_EQ(end.output, "write inside\n");
}

TEST_F(Bubblewrap, ASignalIsReportedAsOne) {
    EXPECT_EQ(run({"/bin/sh", "-c", "kill -SEGV $$"}).signal, SIGSEGV);
    EXPECT_EQ(run({"/bin/sh", "-c", "exit 3"}).exit_code, 3);
}

bool is_running(const std::string& argument) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::stringstream words;
        words << std::ifstream(entry.path() / "cmdline").rdbuf();
        if (words.str().find(argument) != std::string::npos) return true;
    }
    return false;
}

TEST_F(Bubblewrap, WhatHangsIsEndedWithAllThatItStarted) {
    const auto seconds = std::to_string(100'000 + ::getpid());
    const auto end =
        run({"/bin/sh", "-c", fmt::format("setsid sleep {0} & exec sleep {0}", seconds)},
            {.wall_seconds = 1});
    EXPECT_TRUE(end.timed_out);
    for (int i = 0; i < 100 && is_running(seconds); ++i) ::usleep(20'000);
    EXPECT_FALSE(is_running(seconds));
}

TEST_F(Bubblewrap, TheLimitsHoldThere) {
    const auto end = run({"/bin/sh", "-c", "ulimit -v; ulimit -f; ulimit -t; ulimit -c"},
                         {.cpu_seconds = 7, .memory_bytes = 100 << 20, .file_bytes = 512 << 10});
    EXPECT_EQ(end.output, "102400\n1024\n7\n0\n");
}

TEST_F(Bubblewrap, NobodyCanUseItToo) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
    const auto child = ::fork();
    if (child == 0) {
        constexpr unsigned kNobody = 65534;
        if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(2);
        ::_exit(try_bubblewrap(find_bubblewrap(), 20) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

class BrokenBubblewrap : public testing::Test {
  protected:
    fs::path program(const std::string& script) const {
        const auto path = folder.path() / "bwrap";
        std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
        fs::permissions(path, fs::perms::owner_all);
        return path;
    }
    WorkFolder folder = value_or_throw(WorkFolder::make());
};

TEST_F(BrokenBubblewrap, ItsMessageIsTheReason) {
    const auto tried = try_bubblewrap(program("echo bwrap: not on this machine >&2; exit 1"), 20);
    ASSERT_FALSE(tried);
    EXPECT_NE(tried.error().message().find("ended with 1 and said: bwrap: not on this machine"),
              std::string::npos)
        << tried.error().message();
}

TEST_F(BrokenBubblewrap, OneThatHangsIsGivenUp) {
    const auto begin = std::chrono::steady_clock::now();
    const auto tried = try_bubblewrap(program("sleep 60"), 1);
    ASSERT_FALSE(tried);
    EXPECT_NE(tried.error().message().find("took too long"), std::string::npos);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

TEST_F(BrokenBubblewrap, OneThatStartsNothingButEndsWellIsNoSandbox) {
    EXPECT_FALSE(try_bubblewrap(program("exit 0"), 20));
}

TEST_F(BrokenBubblewrap, OneThatIsNotThereIsNoSandbox) {
    EXPECT_FALSE(try_bubblewrap(folder.path() / "bwrap", 20));
}

TEST_F(BrokenBubblewrap, IsLookedForInAbsoluteFoldersAlone) {
    program("exit 0");
    const std::string before = std::getenv("PATH");
    const auto here = fs::current_path();
    fs::current_path(folder.path());
    ::setenv("PATH", ".::/nowhere", 1);
    EXPECT_EQ(find_bubblewrap(), "");
    ::setenv("PATH", ("/nowhere:" + folder.path().string()).c_str(), 1);
    EXPECT_EQ(find_bubblewrap(), folder.path() / "bwrap");
    ::setenv("PATH", before.c_str(), 1);
    fs::current_path(here);
}

TEST(RequiredSandbox, NothingIsRunBelowTheLevelThatIsAskedFor) {
    const auto folder = value_or_throw(WorkFolder::make());
    const std::vector<std::string> command{"/bin/sh", "-c", "echo x > ran"};
    for (const auto level : {SandboxLevel::kJail, SandboxLevel::kNamespaces}) {
        std::error_code ignored;
        fs::remove(folder.path() / "ran", ignored);
        const auto end = run_program(command, folder.path(), {}, level);
        EXPECT_EQ(end.has_value(), sandbox_level() >= level);
        EXPECT_EQ(fs::exists(folder.path() / "ran"), sandbox_level() >= level);
        if (end) {
            EXPECT_GE(end->sandbox, level);
        }
    }
    EXPECT_EQ(sandbox().why_not_higher.empty(), sandbox_level() == SandboxLevel::kNamespaces);
}

}  // namespace
}  // namespace esper::execution
