#pragma once

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "esper/services/urza/postgres_database.h"
#include "urza/library_home.h"

namespace esper::testing {

/// A PostgreSQL server for the tests of this process: a folder and a socket of its own, no port. It
/// refuses root, for whom it runs as another user. `missing()` says why there is none to be
/// started; one that is installed and does not start is an exception.
class PostgresServer {
  public:
    /// Started when it is first asked for.
    static PostgresServer& instance() {
        static PostgresServer server;
        return server;
    }
    ~PostgresServer() { stop(SIGQUIT); }
    PostgresServer(const PostgresServer&) = delete;
    PostgresServer& operator=(const PostgresServer&) = delete;

    const std::string& missing() const { return missing_; }
    /// Of a database in it, in a schema of it; with settings, e.g. `-cjit=off`.
    std::string address(const std::string& schema = "public", const std::string& settings = "",
                        const std::string& user = "esper") const {
        std::string encoded;
        for (const char c : settings) encoded += c == '=' ? "%3D" : std::string(1, c);
        return "postgresql://" + user + "@/postgres?host=" + folder_.path().string() +
               "&options=-csearch_path%3D" + schema + (encoded.empty() ? "" : "%20" + encoded);
    }
    /// A schema that nobody has used.
    std::string new_schema() {
        const std::string name = "test" + std::to_string(++schemas_);
        sql("CREATE SCHEMA " + name);
        return name;
    }
    void sql(const std::string& text) {
        const auto database = value_or_throw(
            urza::PostgresDatabase::open(address(), urza::PostgresDatabase::Mode::kReadWrite));
        const Status done = database->run(text);
        EXPECT_TRUE(done) << done.error().to_string();
    }
    std::string log() const {
        std::ifstream file(folder_ / "log");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void stop(int signal = SIGINT) {
        if (server_ <= 0) return;
        ::kill(server_, signal);
        ::waitpid(server_, nullptr, 0);
        server_ = -1;
    }
    void start() {
        server_ = begin({(programs_ / "postgres").string(), "-D", data(), "-k",
                         folder_.path().string(), "-c", "listen_addresses=", "-c", "fsync=off",
                         "-c", "shared_buffers=16MB", "-c", "autovacuum=off", "-c", "jit=off"});
        for (int i = 0; i < 600 && !is_ready(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (!is_ready()) throw std::runtime_error("PostgreSQL did not start: " + log());
    }

  private:
    PostgresServer() {
        if (!std::filesystem::exists(programs_ / "initdb")) {
            missing_ = "no PostgreSQL 15; run scripts/setup.sh";
            return;
        }
        if (const passwd* other = ::getpwnam("nobody"); ::geteuid() == 0 && other != nullptr) {
            user_ = other->pw_uid;
            group_ = other->pw_gid;
            if (::chown(folder_.path().c_str(), user_, group_) != 0)
                throw std::runtime_error("the server's folder cannot be given to nobody");
        }
        const pid_t made = begin({(programs_ / "initdb").string(), "-D", data(), "-U", "esper",
                                  "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"});
        int status = 0;
        if (::waitpid(made, &status, 0) != made || status != 0)
            throw std::runtime_error("initdb failed: " + log());
        start();
    }
    std::string data() const { return (folder_ / "data").string(); }
    bool is_ready() const {
        return urza::PostgresDatabase::open(address(), urza::PostgresDatabase::Mode::kReadOnly)
            .has_value();
    }
    /// Starts a program that ends with this process.
    pid_t begin(const std::vector<std::string>& words) const {
        std::vector<char*> pointers;
        for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
        pointers.push_back(nullptr);
        const std::string log = folder_ / "log";
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child != 0) return child;
        if (user_ != 0 && (::setgid(group_) != 0 || ::setuid(user_) != 0)) ::_exit(127);
        ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
        if (::getppid() != parent || ::chdir(folder_.path().c_str()) != 0) ::_exit(127);
        const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        ::dup2(file, STDOUT_FILENO);
        ::dup2(file, STDERR_FILENO);
        ::unsetenv("TMPDIR");
        ::execv(pointers[0], pointers.data());
        ::_exit(127);
    }

    [[maybe_unused]] const bool in_memory_ = in_memory();
    const TemporaryFolder folder_;
    const std::filesystem::path programs_ = "/usr/lib/postgresql/15/bin";
    uid_t user_ = 0;
    gid_t group_ = 0;
    pid_t server_ = -1;
    int schemas_ = 0;
    std::string missing_;
};

/// A library in a schema of that server. Its keys lie in a folder of its own.
class PostgresHome final : public DatabaseHome {
  public:
    /// `objects`: as open_library; "" for rows.
    explicit PostgresHome(std::string objects = "") : objects_(std::move(objects)) {
        const Status made = execution::KeyFolder(keys()).make_missing()
                                ? Status{}
                                : fail(urza::UrzaError::kReadOnly, "no keys");
        EXPECT_TRUE(made);
    }
    ~PostgresHome() override {
        const auto opened = database();
        if (opened) (void)(*opened)->run("DROP SCHEMA " + schema_ + " CASCADE");
    }

    static std::string missing() { return PostgresServer::instance().missing(); }
    std::string address(const std::string& settings = "") const {
        return server_.address(schema_, settings);
    }
    const std::string& schema() const { return schema_; }
    Result<std::unique_ptr<urza::DatabaseLibrary>> open_at(const std::string& address) {
        ::setenv("ESPER_KEYS", keys().path().c_str(), 1);
        auto library = urza::open_postgres_library(address, objects_);
        ::unsetenv("ESPER_KEYS");
        return library;
    }
    Result<std::unique_ptr<urza::Library>> open() override {
        ESPER_TRY(auto library, open_at(address()));
        return std::unique_ptr<urza::Library>(std::move(library));
    }
    execution::KeyFolder keys() const override { return execution::KeyFolder(folder_ / "keys"); }
    void age_objects() override { sql("UPDATE object SET added = added - 7200"); }
    Result<std::unique_ptr<urza::Database>> database() override {
        return urza::PostgresDatabase::open(address(), urza::PostgresDatabase::Mode::kReadWrite);
    }
    std::string object(const std::string& digest) override {
        const auto opened = value_or_throw(database());
        auto select =
            value_or_throw(opened->prepare("SELECT content FROM object WHERE digest = ?"));
        EXPECT_TRUE(*select.bind(digest).step());
        return select.text(0);
    }
    void put_object(const std::string& digest, const std::string& bytes) override {
        const auto opened = value_or_throw(database());
        auto update =
            value_or_throw(opened->prepare("UPDATE object SET content = ? WHERE digest = ?"));
        EXPECT_TRUE(update.bind_blob(bytes).bind(digest).run());
    }

  private:
    PostgresServer& server_ = PostgresServer::instance();
    const TemporaryFolder folder_;
    const std::string schema_ = server_.new_schema();
    const std::string objects_;
};

}  // namespace esper::testing
