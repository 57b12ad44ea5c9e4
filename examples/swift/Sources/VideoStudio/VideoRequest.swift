import Pipevideo

/// The request of the example: a portrait video.
public func videoRequest(prompt: String) -> GenerationRequest {
    var request = GenerationRequest(model: "moonshotai/kimi-k2.5", prompt: prompt)
    request.aspectRatio = "9:16"
    return request
}
