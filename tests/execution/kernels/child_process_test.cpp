#include "esper/execution/kernels/child_process.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>

namespace esper::execution {
namespace {

ChildEnd run(const std::vector<std::string>& command, const ChildLimits& limits = {}) {
    const auto folder = value_or_throw(WorkFolder::make());
    return value_or_throw(run_program(command, folder.path(), limits));
}

// Sanitizers need more address space than there is memory.
constexpr ChildLimits kNoLimit{.memory_bytes = 0};

TEST(ChildProcess, GivesTheExitCodeAndWhatWasPrinted) {
    const auto end = run({"/bin/sh", "-c", "echo hello; exit 3"});
    EXPECT_EQ(end.exit_code, 3);
    EXPECT_EQ(end.output, "hello\n");
    EXPECT_FALSE(end.ended_well());
}

TEST(ChildProcess, HasNoEnvironmentButPathsAndTheLanguage) {
    ::setenv("ESPER_SECRET", "x", 1);
    const auto end = run({"/usr/bin/env"});
    ::unsetenv("ESPER_SECRET");
    EXPECT_EQ(end.output.find("ESPER_SECRET"), std::string::npos);
    EXPECT_NE(end.output.find("TMPDIR="), std::string::npos);
}

/// The only child of a process; "" where there is none yet.
std::string child_of(const std::string& parent) {
    std::string child;
    std::ifstream("/proc/" + parent + "/task/" + parent + "/children") >> child;
    return child;
}

/// What `file` of that child says; of its own child and so on, of the last one: between this
/// process and the program may be bubblewrap.
std::string of_innermost_child(pid_t parent, const std::string& file) {
    auto child = child_of(std::to_string(parent));
    for (auto next = child; !next.empty(); next = child_of(next)) child = next;
    std::string text;
    if (!child.empty()) std::getline(std::ifstream("/proc/" + child + "/" + file), text);
    return text;
}

TEST(ChildProcess, InItsOwnSessionItHasThePriorityOfItsParent) {
    if (!std::ifstream("/proc/self/autogroup")) GTEST_SKIP() << "no groups of sessions here";
    const auto parent = ::fork();
    if (parent == 0) {
        ::setpriority(PRIO_PROCESS, 0, 19);
        static_cast<void>(run({"/bin/sleep", "20"}));
        ::_exit(0);
    }
    std::string group;
    for (int i = 0; i < 500 && group.find("nice 19") == std::string::npos; ++i) {
        ::usleep(20'000);
        group = of_innermost_child(parent, "autogroup");
    }
    ::kill(parent, SIGKILL);  // the child ends with it
    ::waitpid(parent, nullptr, 0);
    EXPECT_NE(group.find("nice 19"), std::string::npos) << group;
}

/// The words of a stat file after the program's name, the first being the third of the file.
std::vector<std::string> words_of(const std::string& stat) {
    std::istringstream rest(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
    return {std::istream_iterator<std::string>(rest), {}};
}

TEST(ChildProcess, OfABackgroundProcessItIsOneInTheSameSession) {
    const auto parent = ::fork();
    if (parent == 0) {
        const sched_param none{};
        ::sched_setscheduler(0, SCHED_IDLE, &none);
        static_cast<void>(run({"/bin/sleep", "120"}, {.wall_seconds = 150}));
        ::_exit(0);
    }
    std::vector<std::string> child;
    // Where other processes want every processor its start takes long.
    for (int i = 0; i < 5000 && child.empty(); ++i) {
        ::usleep(20'000);
        const auto stat = of_innermost_child(parent, "stat");
        if (stat.find("(sleep)") == std::string::npos) continue;
        child = words_of(stat);
    }
    const auto session = ::getsid(parent);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    ASSERT_GT(child.size(), 38U);
    EXPECT_EQ(child[3], std::to_string(session));
    EXPECT_NE(child[2], std::to_string(::getpgrp())) << "a group that can be ended as a whole";
    EXPECT_EQ(child[38], std::to_string(SCHED_IDLE));
}

TEST(ChildProcess, ASignalIsReported) {
    EXPECT_EQ(run({"/bin/sh", "-c", "kill -SEGV $$"}).signal, SIGSEGV);
}

TEST(ChildProcess, WhatTakesTooLongIsEnded) {
    const auto end = run({"/bin/sleep", "30"}, {.wall_seconds = 1});
    EXPECT_TRUE(end.timed_out);
    EXPECT_EQ(end.how(), "took too long");
}

TEST(ChildProcess, AFileLargerThanTheLimitCannotBeWritten) {
    const auto end =
        run({"/bin/sh", "-c", "exec head -c 2000000 /dev/zero > file"}, {.file_bytes = 1000000});
    EXPECT_FALSE(end.ended_well());
}

TEST(ChildProcess, AJailedChildReadsNoFileOfTheUser) {
    if (sandbox_level() < SandboxLevel::kJail) GTEST_SKIP() << "no Landlock here";
    EXPECT_FALSE(run({"/bin/cat", "/etc/passwd"}).ended_well());
    EXPECT_FALSE(run({"/bin/sh", "-c", "echo x > /var/tmp/esper-outside"}).ended_well());
    EXPECT_TRUE(run({"/bin/sh", "-c", "echo x > inside"}).ended_well());
}

TEST(ChildProcess, ACopyOfThisProcessReturnsWhatItComputed) {
    const auto folder = value_or_throw(WorkFolder::make());
    const std::string here = "computed";
    const auto end =
        value_or_throw(run_in_copy([&] { return here + " there"; }, folder.path(), kNoLimit));
    EXPECT_EQ(end.output, "computed there");
    EXPECT_EQ(end.sandbox, std::min(sandbox_level(), SandboxLevel::kJail));
    EXPECT_TRUE(end.ended_well());
}

TEST(ChildProcess, ACrashOfACopyIsASignal) {
    const auto folder = value_or_throw(WorkFolder::make());
    const auto end = value_or_throw(run_in_copy(
        []() -> std::string {
            std::raise(SIGKILL);
            return {};
        },
        folder.path(), kNoLimit));
    EXPECT_EQ(end.how(), "was ended by signal 9");
}

TEST(ChildProcess, AWorkFolderIsGoneAfterwards) {
    std::filesystem::path path;
    {
        const auto folder = value_or_throw(WorkFolder::make());
        path = folder.path();
        std::ofstream(path / "file") << "x";
        EXPECT_TRUE(std::filesystem::exists(path));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace esper::execution
