#include "esper/services/serving/http_server.h"

// Boost 1.74's awaitable.hpp uses std::exchange without including this.
#include <utility>
// The only file that includes Boost.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace esper::serving {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

class Connection;

constexpr std::size_t kBuffer = std::size_t{64} << 10;
constexpr std::size_t kPieceOfStream = std::size_t{64} << 10;
constexpr std::size_t kLongestBody = std::size_t{1} << 30;
constexpr std::size_t kDiscardAtClose = std::size_t{1} << 20;
// Above the limit, for those that were sent away and have not gone yet.
constexpr std::size_t kMostLeaving = 16;
constexpr std::chrono::seconds kLinger{1};
constexpr std::chrono::seconds kDrain{2};

std::string plain(std::string_view value) {
    std::string out(value);
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return out;
}

std::string_view view(boost::string_view text) { return {text.data(), text.size()}; }

}  // namespace

class HttpServer::State {
  public:
    State(std::shared_ptr<const Router> to, const ServerOptions& with)
        : router(std::move(to)), options(with) {}
    ~State() { stop(); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Status listen();
    void run();
    void stop();
    int port() const { return port_; }

    void enter(const std::shared_ptr<Connection>& connection);
    void leave();
    void make_room();
    Response answer(Request request) const;
    std::optional<Response> refuse(const Request& head) const;

    const std::shared_ptr<const Router> router;
    const ServerOptions options;
    std::atomic<bool> stopping = false;
    std::atomic<std::size_t> streams = 0;

  private:
    void accept();
    void on_accept(error_code error, tcp::socket socket);

    std::mutex mutex_;
    std::condition_variable left_;
    std::size_t connections_ = 0;
    std::vector<std::weak_ptr<Connection>> all_;
    int port_ = 0;
    std::vector<std::thread> threads_;
    // Last, so that it goes first: what waits in it uses the members above.
    asio::io_context context_;
    tcp::acceptor acceptor_{asio::make_strand(context_)};
    asio::steady_timer pause_{acceptor_.get_executor()};
};

namespace {

/// One client. All of its functions run in its strand.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(HttpServer::State& server, tcp::socket socket)
        : server_(server),
          limits_(server.options.limits),
          stream_(std::move(socket)),
          timer_(stream_.get_executor()),
          buffer_(kBuffer) {}
    ~Connection() {
        if (reader_) --server_.streams;
        server_.leave();
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Called from any thread.
    void begin() {
        asio::post(stream_.get_executor(), [self = shared_from_this()] {
            error_code ignored;
            self->stream_.socket().set_option(tcp::no_delay(true), ignored);
            self->wait_for_request(self->limits_.head_time);
        });
    }

    /// Called from any thread when the server ends.
    void end_soon() {
        asio::post(stream_.get_executor(), [self = shared_from_this()] {
            if (self->idle_ || self->reader_) self->close();
        });
    }

    /// Called from any thread: where the client has yet to send its request, it is sent away.
    bool give_way() {
        if (!waits_for_client_.exchange(false)) return false;
        asio::post(stream_.get_executor(), [self = shared_from_this()] { self->close(); });
        return true;
    }

    /// Only after all threads have ended: the channel must not wake what is going away.
    void forget_channel() {
        if (reader_) --server_.streams;
        reader_.reset();
    }

  private:
    template <typename Function>
    auto bound(Function function) {
        return beast::bind_front_handler(function, shared_from_this());
    }

    void wait_for_request(std::chrono::milliseconds time) {
        if (server_.stopping) return close();
        waits_for_client_ = true;
        if (buffer_.size() > 0) return read_head();
        idle_ = true;
        stream_.expires_after(time);
        stream_.async_read_some(buffer_.prepare(4096), bound(&Connection::on_first_bytes));
    }

    void on_first_bytes(error_code error, std::size_t count) {
        idle_ = false;
        if (error) return close();
        buffer_.commit(count);
        read_head();
    }

    void read_head() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(limits_.head));
        parser_->body_limit(kLongestBody);  // the route's own limit is known after the head
        stream_.expires_after(limits_.head_time);
        http::async_read_header(stream_, buffer_, *parser_, bound(&Connection::on_head));
    }

    void on_head(error_code error, std::size_t) {
        if (error) return refuse(error);
        const auto& head = parser_->get();
        keep_ = head.keep_alive();
        const auto target = view(head.target());
        auto request = parse_target(view(head.method_string()), target);
        if (!request) return reply_and_close(problem(request.error()));
        request_ = std::move(*request);
        std::size_t lengths = 0;
        for (const auto& field : head) {
            if (field.name() == http::field::content_length) ++lengths;
            request_.headers.emplace_back(view(field.name_string()), view(field.value()));
        }
        const auto coding = request_.header("transfer-encoding");
        if (lengths > 1)
            return reply_and_close(problem(400, "the length of the body is given twice"));
        if (!coding.empty() && !beast::iequals({coding.data(), coding.size()}, "chunked"))
            return reply_and_close(problem(501, "the only known transfer coding is chunked"));
        if (auto refused = refuse_foreign(request_, server_.options.access))
            return reply_and_close(std::move(*refused));
        if (parser_->is_done()) return on_request({}, 0);
        if (auto refused = server_.refuse(request_)) return reply_and_close(std::move(*refused));
        const auto most = server_.router->most_body(request_);
        const auto length = parser_->content_length();
        if (length && *length > most) return reply_and_close(server_.answer(oversized(*length)));
        parser_->body_limit(most);
        stream_.expires_after(limits_.body_time);
        const auto expected = request_.header("expect");
        if (!beast::iequals({expected.data(), expected.size()}, "100-continue")) return read_body();
        asio::async_write(stream_, asio::buffer(kContinue), bound(&Connection::on_continue));
    }

    /// The same request with a body that no route takes, so that the router says what is wrong.
    Request oversized(std::uint64_t length) {
        request_.body.assign(std::min<std::size_t>(length, server_.router->most_body(request_) + 1),
                             ' ');
        return std::move(request_);
    }

    void on_continue(error_code error, std::size_t) { return error ? close() : read_body(); }

    void read_body() {
        http::async_read(stream_, buffer_, *parser_, bound(&Connection::on_request));
    }

    void on_request(error_code error, std::size_t) {
        if (error) return refuse(error);
        request_.body = std::move(parser_->get().body());
        is_head_ = request_.method == "HEAD";
        const std::string last_id(request_.header("last-event-id"));
        waits_for_client_ = false;
        auto response = server_.answer(std::move(request_));
        if (!response.events || is_head_) return reply(std::move(response));
        if (server_.streams >= limits_.streams)
            return reply_and_close(problem(503, "too many event streams are open"));
        begin_stream(std::move(response), last_id);
    }

    void refuse(error_code error) {
        if (error == http::error::header_limit || error == http::error::buffer_overflow)
            return reply_and_close(problem(
                431, fmt::format("a request may have {} bytes before its body", limits_.head)));
        if (error == http::error::body_limit)
            return reply_and_close(problem(413, "the body is longer than this address takes"));
        if (error == http::error::bad_version)
            return reply_and_close(problem(505, "expected HTTP/1.1"));
        const bool is_syntax =
            error.category() == make_error_code(http::error::bad_value).category();
        if (is_syntax && error != http::error::end_of_stream &&
            error != http::error::partial_message)
            return reply_and_close(problem(400, "this is no HTTP: " + error.message()));
        close();
    }

    void reply_and_close(Response response) {
        keep_ = false;
        reply(std::move(response));
    }

    http::fields& put_head(http::response<http::span_body<const char>>& out) {
        add_safety_headers(response_);
        out.version(11);
        out.result(static_cast<unsigned>(response_.status));
        const auto reason = reason_of(response_.status);
        out.reason({reason.data(), reason.size()});
        if (!response_.content_type.empty())
            out.set(http::field::content_type, plain(response_.content_type));
        for (const auto& [name, value] : response_.headers) out.insert(name, plain(value));
        return out;
    }

    void reply(Response response) {
        waits_for_client_ = false;
        response_ = std::move(response);
        if (server_.stopping || ++answered_ >= kMostRequests) keep_ = false;
        out_.emplace();
        put_head(*out_);
        const auto text = response_.text();
        if (response_.status != 204 && response_.status != 304) out_->content_length(text.size());
        if (!is_head_) out_->body() = {text.data(), text.size()};
        out_->keep_alive(keep_);
        stream_.expires_after(limits_.write_time);
        http::async_write(stream_, *out_, bound(&Connection::on_written));
    }

    void on_written(error_code error, std::size_t) {
        response_ = {};
        if (error) return close();
        if (keep_) return wait_for_request(limits_.idle_time);
        // Closing at once would throw away what the client has not read while it still sends.
        stream_.socket().shutdown(tcp::socket::shutdown_send, error);
        stream_.expires_after(kLinger);
        discard({}, 0);
    }

    void discard(error_code error, std::size_t count) {
        discarded_ += count;
        if (error || discarded_ > kDiscardAtClose) return close();
        stream_.async_read_some(asio::buffer(rubbish_), bound(&Connection::discard));
    }

    void begin_stream(Response response, const std::string& last_id) {
        ++server_.streams;
        response_ = std::move(response);
        // It may be woken from any thread, also while this connection is going away.
        reader_ = response_.events->read_from(
            last_id, [executor = stream_.get_executor(), weak = weak_from_this()] {
                asio::post(executor, [weak] {
                    if (const auto self = weak.lock()) self->pump();
                });
            });
        http::response<http::span_body<const char>> head;
        put_head(head);
        head.keep_alive(false);
        http::response_serializer<http::span_body<const char>> serializer(head);
        piece_ = "HTTP/1.1 200 OK\r\n";
        for (const auto& field : head)
            piece_ += fmt::format("{}: {}\r\n", view(field.name_string()), view(field.value()));
        piece_ += "\r\nretry: 1000\n\n";
        write_piece();
        watch_for_end({}, 0);
    }

    void write_piece() {
        writing_ = true;
        stream_.expires_after(limits_.write_time);
        asio::async_write(stream_, asio::buffer(piece_), bound(&Connection::on_piece));
    }

    void on_piece(error_code error, std::size_t) {
        writing_ = false;
        if (error || server_.stopping) return close();
        stream_.expires_never();
        pump();
    }

    void pump() {
        if (writing_ || !reader_ || server_.stopping) return;
        if (response_.is_over && response_.is_over()) return close();
        piece_ = reader_->take(kPieceOfStream);
        if (!piece_.empty()) return write_piece();
        timer_.expires_after(limits_.comment_every);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (error || self->writing_ || !self->reader_) return;
            self->piece_ = ":\n\n";
            self->write_piece();
        });
    }

    // A client of a stream has nothing more to say; the end of its half means that it has gone.
    void watch_for_end(error_code error, std::size_t count) {
        discarded_ += count;
        if (error || discarded_ > kBuffer) return close();
        stream_.socket().async_read_some(asio::buffer(rubbish_), bound(&Connection::watch_for_end));
    }

    void close() {
        timer_.cancel();
        if (reader_) --server_.streams;
        reader_.reset();
        error_code ignored;
        stream_.socket().close(ignored);
    }

    static constexpr int kMostRequests = 10'000;
    static constexpr std::array<char, 25> kContinue = {
        'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ',  '1',  '0',  '0', ' ',
        'C', 'o', 'n', 't', 'i', 'n', 'u', 'e', '\r', '\n', '\r', '\n'};
    HttpServer::State& server_;
    const Limits& limits_;
    beast::tcp_stream stream_;
    asio::steady_timer timer_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    Request request_;
    Response response_;
    std::optional<http::response<http::span_body<const char>>> out_;
    std::array<char, 4096> rubbish_{};
    std::unique_ptr<EventReader> reader_;
    std::string piece_;
    std::size_t discarded_ = 0;
    int answered_ = 0;
    bool keep_ = false;
    bool is_head_ = false;
    bool idle_ = false;
    std::atomic<bool> waits_for_client_ = false;
    bool writing_ = false;
};

}  // namespace

Status HttpServer::State::listen() {
    error_code error;
    const auto name = options.host == "localhost" ? "127.0.0.1" : options.host;
    const auto address = asio::ip::make_address(name, error);
    if (error || options.port < 0 || options.port > 65535)
        return fail(
            ServingError::kBadAddress,
            fmt::format("cannot listen at '{}', port {}: expected an address in digits, "
                        "such as 127.0.0.1 or ::1, or localhost, and a port from 0 to 65535",
                        options.host, options.port));
    const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error)
        return fail(ServingError::kPortInUse,
                    fmt::format("cannot listen at {}, port {}: {}. Choose another port, or 0 for "
                                "any that is free",
                                options.host, options.port, error.message()));
    port_ = acceptor_.local_endpoint(error).port();
    return {};
}

void HttpServer::State::run() {
    asio::post(acceptor_.get_executor(), [this] { accept(); });
    for (int i = 0; i < std::max(options.threads, 1); ++i)
        threads_.emplace_back([this] { context_.run(); });
}

void HttpServer::State::accept() {
    if (stopping) return;
    acceptor_.async_accept(
        asio::make_strand(context_),
        [this](error_code error, tcp::socket socket) { on_accept(error, std::move(socket)); });
}

void HttpServer::State::on_accept(error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || stopping) return;
    if (error) {  // e.g. no file descriptor is left: some will be closed soon
        pause_.expires_after(std::chrono::milliseconds(100));
        pause_.async_wait([this](error_code stopped) {
            if (!stopped) accept();
        });
        return;
    }
    bool is_full = false;
    {
        const std::lock_guard lock(mutex_);
        is_full = connections_ >= options.limits.connections;
    }
    if (is_full) make_room();
    {
        const std::lock_guard lock(mutex_);
        is_full = connections_ >= options.limits.connections + kMostLeaving;
        if (!is_full) ++connections_;
    }
    if (!is_full) {
        const auto connection = std::make_shared<Connection>(*this, std::move(socket));
        enter(connection);
        connection->begin();
    }
    accept();
}

void HttpServer::State::enter(const std::shared_ptr<Connection>& connection) {
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
    all_.push_back(connection);
}

// Of the clients that have yet to send a request, the one that came first goes: connections without
// a word must not keep others out.
void HttpServer::State::make_room() {
    std::vector<std::weak_ptr<Connection>> all;
    {
        const std::lock_guard lock(mutex_);  // not held below: the last owner of one leaves()
        all = all_;
    }
    for (const auto& weak : all)
        if (const auto connection = weak.lock(); connection && connection->give_way()) return;
}

void HttpServer::State::leave() {
    const std::lock_guard lock(mutex_);
    --connections_;
    left_.notify_all();
}

Response HttpServer::State::answer(Request request) const {
    if (!options.answered) return router->answer(std::move(request));
    const auto asked = request;
    const auto begun = std::chrono::steady_clock::now();
    auto response = router->answer(std::move(request));
    options.answered(asked, response, std::chrono::steady_clock::now() - begun);
    return response;
}

std::optional<Response> HttpServer::State::refuse(const Request& head) const {
    const auto begun = std::chrono::steady_clock::now();
    auto response = router->refuse(head);
    if (response && options.answered)
        options.answered(head, *response, std::chrono::steady_clock::now() - begun);
    return response;
}

void HttpServer::State::stop() {
    if (stopping.exchange(true)) return;
    asio::post(acceptor_.get_executor(), [this] {
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
    });
    std::vector<std::weak_ptr<Connection>> all;
    {
        const std::lock_guard lock(mutex_);
        all = all_;
    }
    for (const auto& weak : all)
        if (const auto connection = weak.lock()) connection->end_soon();
    {
        std::unique_lock lock(mutex_);
        left_.wait_for(lock, kDrain, [&] { return connections_ == 0; });
    }
    context_.stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    for (const auto& weak : all_)
        if (const auto connection = weak.lock()) connection->forget_channel();
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() { stop(); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(std::shared_ptr<const Router> router,
                                                      const ServerOptions& options) {
    auto state = std::make_unique<State>(std::move(router), options);
    ESPER_CHECK_STATUS(state->listen());
    state->run();
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

int HttpServer::port() const { return state_->port(); }

std::string HttpServer::address() const {
    const auto& host = state_->options.host;
    return host.find(':') == std::string::npos ? fmt::format("http://{}:{}", host, port())
                                               : fmt::format("http://[{}]:{}", host, port());
}

void HttpServer::stop() { state_->stop(); }

}  // namespace esper::serving
