#include "esper/cli/page_process.h"

#include <spawn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace esper::cli {

namespace {

std::string program() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "esper-nissa";
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

void say_why(const std::string& path, int error) {
    std::fprintf(stderr, "esper: cannot start %s: %s; it is built and installed beside esper\n",
                 path.c_str(), std::strerror(error));
}

}  // namespace

int become_page(std::vector<std::string> arguments) {
    const auto path = program();
    arguments.insert(arguments.begin(), path);
    ::execv(path.c_str(), pointers_to(arguments).data());
    say_why(path, errno);
    return 1;
}

void start_page(const std::string& folder, bool allow_actions) {
    const auto path = program();
    std::vector<std::string> words{path, "--with-parent", "--or-any-port"};
    if (allow_actions) words.emplace_back("--allow-actions");
    words.insert(words.end(), {"--", folder});
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    pid_t process = 0;
    const int error =
        posix_spawn(&process, path.c_str(), &actions, nullptr, pointers_to(words).data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) say_why(path, error);
}

}  // namespace esper::cli
