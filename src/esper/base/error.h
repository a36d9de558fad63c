#pragma once
// base: what every room uses (errors, ids, clock, randomness, files, threads, fault points).

#include <stdexcept>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace esper {

/// The kind of a failure. Its number is the exit code of the program.
enum class ErrorClass : int {
    kRuntime = 1,       ///< failed while running
    kUsage = 2,         ///< bad arguments or configuration
    kData = 3,          ///< bad or missing data
    kVerification = 4,  ///< a checksum, signature or replay did not match
};

/// One failure: the value of a room's error enum, its class, and a message that says what was
/// expected, what came and what to do.
class Error {
  public:
    Error(std::string_view room, std::string_view name, int value, ErrorClass error_class,
          std::string message)
        : room_(room),
          name_(name),
          value_(value),
          error_class_(error_class),
          message_(std::move(message)) {}

    std::string_view room() const { return room_; }
    std::string_view name() const { return name_; }
    int value() const { return value_; }
    ErrorClass error_class() const { return error_class_; }
    int exit_code() const { return static_cast<int>(error_class_); }
    const std::string& message() const { return message_; }

    /// True when this is the given value of a room's enum, e.g. error.is(GraphError::kCycle).
    template <typename Enum>
    bool is(Enum code) const {
        return room_ == esper_error_room(code) && value_ == static_cast<int>(code);
    }

    /// The same error with `context: ` in front of its message.
    Error within(std::string_view context) const {
        Error e = *this;
        e.message_ = std::string(context) + ": " + message_;
        return e;
    }

    std::string to_string() const {
        return std::string(room_) + "." + std::string(name_) + ": " + message_;
    }

  private:
    std::string_view room_;
    std::string_view name_;
    int value_;
    ErrorClass error_class_;
    std::string message_;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// Thrown only by constructors and the public facade.
class EsperException : public std::runtime_error {
  public:
    explicit EsperException(Error error)
        : std::runtime_error(error.to_string()), error_(std::move(error)) {}
    const Error& error() const { return error_; }

  private:
    Error error_;
};

/// Builds the failure that a Result-returning function returns:
/// `return fail(GraphError::kCycle, "…");`
template <typename Enum>
tl::unexpected<Error> fail(Enum code, std::string message) {
    return tl::unexpected<Error>(Error(esper_error_room(code), esper_error_name(code),
                                       static_cast<int>(code), esper_error_class(code),
                                       std::move(message)));
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// The value, or an EsperException.
template <typename T>
T value_or_throw(Result<T> result) {
    if (!result) throw EsperException(std::move(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace esper

// Declares a room's error enum from an X-macro list of (kName, ErrorClass), e.g.
//   #define ESPER_FILE_ERRORS(X) X(kNotFound, kData) X(kCorrupt, kVerification)
//   ESPER_DEFINE_ERRORS(FileError, "files", ESPER_FILE_ERRORS)
// Use it in the namespace that the enum shall belong to.
#define ESPER_ERROR_ENUM_ENTRY(name, cls) name,
#define ESPER_ERROR_NAME_CASE(name, cls) \
    case Self::name:                     \
        return std::string_view(#name).substr(1);
#define ESPER_ERROR_CLASS_CASE(name, cls) \
    case Self::name:                      \
        return ::esper::ErrorClass::cls;
#define ESPER_ERROR_LIST_ENTRY(name, cls) Self::name,
#define ESPER_DEFINE_ERRORS(Enum, room, LIST)                          \
    enum class Enum : int { LIST(ESPER_ERROR_ENUM_ENTRY) };            \
    constexpr std::string_view esper_error_room(Enum) { return room; } \
    constexpr std::string_view esper_error_name(Enum code) {           \
        using Self = Enum;                                             \
        switch (code) { LIST(ESPER_ERROR_NAME_CASE) }                  \
        return "?";                                                    \
    }                                                                  \
    constexpr ::esper::ErrorClass esper_error_class(Enum code) {       \
        using Self = Enum;                                             \
        switch (code) { LIST(ESPER_ERROR_CLASS_CASE) }                 \
        return ::esper::ErrorClass::kRuntime;                          \
    }                                                                  \
    inline std::vector<Enum> esper_all_errors(Enum) {                  \
        using Self = Enum;                                             \
        return {LIST(ESPER_ERROR_LIST_ENTRY)};                         \
    }

// ESPER_TRY(auto x, expression_returning_Result): binds the value or returns the error.
#define ESPER_CONCAT_INNER(a, b) a##b
#define ESPER_CONCAT(a, b) ESPER_CONCAT_INNER(a, b)
#define ESPER_TRY_IMPL(tmp, decl, ...)                                         \
    auto tmp = (__VA_ARGS__);                                                  \
    if (!tmp) return ::tl::unexpected<::esper::Error>(std::move(tmp).error()); \
    decl = std::move(*tmp)
#define ESPER_TRY(decl, ...) \
    ESPER_TRY_IMPL(ESPER_CONCAT(esper_try_, __COUNTER__), decl, __VA_ARGS__)
// ESPER_CHECK_STATUS(expression_returning_Status): returns the error, if any.
#define ESPER_CHECK_STATUS(...)                                                        \
    do {                                                                               \
        auto esper_status_ = (__VA_ARGS__);                                            \
        if (!esper_status_)                                                            \
            return ::tl::unexpected<::esper::Error>(std::move(esper_status_).error()); \
    } while (false)
