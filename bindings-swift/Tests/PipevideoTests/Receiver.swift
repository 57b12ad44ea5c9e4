import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A minimal receiver of webhooks: HTTP/1.1 on loopback, one delivery after another. Its handler
/// returns the status of the response.
final class Receiver: Sendable {
    typealias Handler = @Sendable (_ body: Data, _ headers: [(String, String)]) -> Int

    let url: String
    private let listener: Listener

    init(_ handler: @escaping Handler) throws {
        listener = try Listener { connection in
            Self.serve(connection, handler)
            close(connection)
        }
        url = "http://127.0.0.1:\(listener.port)/webhooks"
    }

    private static func serve(_ connection: Int32, _ handler: Handler) {
        var received = Data()
        let end = Data("\r\n\r\n".utf8)
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            if let endOfHeaders = received.range(of: end) {
                let lines = String(decoding: received[..<endOfHeaders.lowerBound], as: UTF8.self)
                    .components(separatedBy: "\r\n")
                let headers = lines.dropFirst().compactMap { line -> (String, String)? in
                    guard let colon = line.firstIndex(of: ":") else { return nil }
                    let value = line[line.index(after: colon)...]
                    return (String(line[..<colon]), value.trimmingCharacters(in: .whitespaces))
                }
                let length = headers.first { $0.0.lowercased() == "content-length" }
                let body = received[endOfHeaders.upperBound...]
                if body.count >= length.flatMap({ Int($0.1) }) ?? 0 {
                    let status = handler(Data(body), headers)
                    let response =
                        "HTTP/1.1 \(status) -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    _ = send(connection, response, response.utf8.count, 0)
                    return
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            received += buffer[..<count]
        }
    }
}
