#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>

namespace esper::test {

/// Runs s3_peer.py: a moto server that verifies signatures, and boto3 as another client.
/// `missing()` says why it could not be started.
class S3Peer {
  public:
    S3Peer() {
        const std::filesystem::path source = ESPER_SOURCE_DIR;
        const std::string python = (source / ".venv-test/bin/python").string();
        const std::string script = (source / "tests/utils/s3_peer.py").string();
        if (!std::filesystem::exists(python)) {
            missing_ = "no .venv-test with moto and boto3; run scripts/setup.sh";
            return;
        }
        int in[2];
        int out[2];
        if (::pipe(in) != 0 || ::pipe(out) != 0) {
            missing_ = "no pipes";
            return;
        }
        child_ = ::fork();
        if (child_ == 0) {
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
            ::execl(python.c_str(), python.c_str(), script.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        to_ = ::fdopen(in[1], "w");
        from_ = ::fdopen(out[0], "r");
        std::istringstream hello(read_line());
        hello >> port >> access_key >> secret_key;
        if (port == 0) missing_ = "s3_peer.py did not start; its message is above";
    }
    ~S3Peer() {
        if (to_ != nullptr) std::fclose(to_);
        if (from_ != nullptr) std::fclose(from_);
        if (child_ > 0) {
            ::kill(child_, SIGTERM);
            ::waitpid(child_, nullptr, 0);
        }
    }
    S3Peer(const S3Peer&) = delete;
    S3Peer& operator=(const S3Peer&) = delete;

    const std::string& missing() const { return missing_; }
    std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port); }

    /// Sends one command to s3_peer.py and returns the answer.
    std::string ask(const std::string& command) {
        std::fputs((command + "\n").c_str(), to_);
        std::fflush(to_);
        return read_line();
    }

    int port = 0;
    std::string access_key;
    std::string secret_key;

  private:
    std::string read_line() {
        std::string line;
        for (int c = std::fgetc(from_); c != EOF && c != '\n'; c = std::fgetc(from_)) {
            line += static_cast<char>(c);
        }
        return line;
    }

    std::string missing_;
    pid_t child_ = -1;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

}  // namespace esper::test
