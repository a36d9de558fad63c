// The library's server under an open loop: requests are due at fixed times, and a request's latency
// counts from the moment it was due, so that a stalled server cannot hide. In turn a second of
// `GET /api/v1/blueprints/{id}` and a second of a route that does nothing, on the same server.
//
//     bench_urza_api [--rows 100000] [--rate 2000] [--seconds 20] [--json PATH]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "base/temporary_folder.h"
#include "bench_report.h"
#include "esper/services/serving/http_server.h"
#include "esper/services/urza/api.h"
#include "esper/services/urza/database_library.h"

namespace {

using namespace esper;
using Clock = std::chrono::steady_clock;
constexpr int kConnections = 8;

long argument(int argc, char** argv, const char* name, long usual) {
    for (int i = 1; i + 1 < argc; ++i)
        if (std::strcmp(argv[i], name) == 0) return std::atol(argv[i + 1]);
    return usual;
}

int connected(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot reach the server");
    return fd;
}

/// A connection that is kept, and one request at a time over it. The server ends it after 10,000
/// requests; then there is another.
class Client {
  public:
    explicit Client(int port) : port_(port), fd_(connected(port)) {}
    ~Client() { ::close(fd_); }
    void ask(const std::string& request) {
        if (::send(fd_, request.data(), request.size(), 0) < 0) throw std::runtime_error("send");
        std::string answer;
        std::size_t whole = 0;
        while (whole == 0 || answer.size() < whole) {
            char piece[16384];
            const ssize_t n = ::recv(fd_, piece, sizeof piece, 0);
            if (n <= 0) throw std::runtime_error("the server closed the connection");
            answer.append(piece, static_cast<std::size_t>(n));
            const auto head = answer.find("\r\n\r\n");
            if (whole != 0 || head == std::string::npos) continue;
            const auto length = answer.find("Content-Length: ");
            whole = head + 4 + std::strtoul(answer.c_str() + length + 16, nullptr, 10);
        }
        if (!answer.starts_with("HTTP/1.1 200")) throw std::runtime_error(answer.substr(0, 200));
        if (answer.find("Connection: close") == std::string::npos) return;
        ::close(fd_);
        fd_ = connected(port_);
    }

  private:
    int port_;
    int fd_;
};

/// Latencies in microseconds of one second at that rate.
std::vector<double> one_second(std::vector<std::unique_ptr<Client>>& clients, long rate,
                               const std::function<std::string(long)>& request) {
    std::vector<std::vector<double>> each(clients.size());
    std::vector<std::thread> threads;
    const auto began = Clock::now() + std::chrono::milliseconds(5);
    for (std::size_t c = 0; c < clients.size(); ++c)
        threads.emplace_back([&, c] {
            for (long i = static_cast<long>(c); i < rate; i += kConnections) {
                const auto due = began + std::chrono::nanoseconds(1'000'000'000 / rate * i);
                std::this_thread::sleep_until(due);
                clients[c]->ask(request(i));
                each[c].push_back(
                    std::chrono::duration<double, std::micro>(Clock::now() - due).count());
            }
        });
    for (auto& thread : threads) thread.join();
    std::vector<double> all;
    for (const auto& part : each) all.insert(all.end(), part.begin(), part.end());
    return all;
}

std::vector<std::string> fill(urza::DatabaseLibrary& library, long rows) {
    std::vector<std::string> ids(static_cast<std::size_t>(rows));
    std::vector<std::thread> threads;
    for (int t = 0; t < 16; ++t)
        threads.emplace_back([&, t] {
            for (long i = t; i < rows; i += 16) {
                contracts::BlueprintSubmission s;
                s.name = s.description = s.submitted_by = "bench";
                const std::string n = std::to_string(i + 1);
                s.architecture = "esper-program 1 \"b\"\ninput x: f32[?, " + n +
                                 "]\n%0 = aten::relu(x)\noutput y: %0\n";
                ids[static_cast<std::size_t>(i)] = value_or_throw(library.add_blueprint(s));
            }
        });
    for (auto& thread : threads) thread.join();
    return ids;
}

}  // namespace

int main(int argc, char** argv) {
    const long rows = argument(argc, argv, "--rows", 100'000);
    const long rate = argument(argc, argv, "--rate", 2000);
    const long seconds = argument(argc, argv, "--seconds", 20);
    bench::Report report("urza_api");
    ::setenv("TMPDIR", "/dev/shm", 0);  // filling it is not what is measured
    const TemporaryFolder folder;
    const auto library = value_or_throw(urza::open_folder_library(folder / "library"));
    const auto ids = fill(*library, rows);
    urza::Tokens tokens(folder / "tokens");
    const std::string token =
        value_or_throw(tokens.add({"bench", contracts::AccessRole::kResearcher}));
    const auto router = std::make_shared<serving::Router>();
    urza::add_api(*router, *library, tokens);
    router->add("GET", "/null",
                [](const serving::Request&) { return serving::content("application/json", "{}"); });
    const auto server = value_or_throw(serving::HttpServer::start(router, {}));
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < kConnections; ++i)
        clients.push_back(std::make_unique<Client>(server->port()));
    const std::string rest =
        " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n\r\n";
    const auto ours = [&](long i) {
        const auto place = static_cast<std::size_t>(i * 7919 % rows);
        return "GET /api/v1/blueprints/" + ids[place] + rest;
    };
    const auto null = [&](long) { return "GET /null" + rest; };
    bench::Samples p50, p99;
    std::vector<double> all;
    for (long second = -1; second < seconds; ++second) {
        const auto a = one_second(clients, rate, ours);
        const auto b = one_second(clients, rate, null);
        if (second < 0) continue;
        all.insert(all.end(), a.begin(), a.end());
        p50.ours.push_back(bench::median(a));
        p50.peer.push_back(bench::median(b));
        p99.ours.push_back(bench::quantile(a, 0.99));
        p99.peer.push_back(bench::quantile(b, 0.99));
    }
    const std::string name = "one of " + std::to_string(rows) + " blueprints";
    report.add_goal(name + ", p50", "us", all, 300);
    report.add_goal(name + ", p99", "us", all, 2000, 0.99);
    report.add_pairs(name + ", p50 of a second", "us", p50, "null route");
    report.add_pairs(name + ", p99 of a second", "us", p99, "null route");
    return report.finish(argc, argv);
}
