// Not compiled by this repository's tests, which run on Linux: SwiftUI and AVKit are Apple's.
#if canImport(SwiftUI) && canImport(AVKit)
    import AVKit
    import Pipevideo
    import PipevideoUI
    import SwiftUI

    /// A prompt, the progress, and the video.
    ///
    /// The app owns the model, so that it outlives the view. If the view is closed while a create is
    /// under way, the model still receives the generation's id.
    ///
    /// ```swift
    /// VideoView(model: GenerationModel(client: client))
    /// ```
    public struct VideoView: View {
        @State private var model: GenerationModel
        @State private var prompt = ""
        @SceneStorage("generation") private var generation: String?

        public init(model: GenerationModel) {
            _model = State(initialValue: model)
        }

        public var body: some View {
            VStack(spacing: 16) {
                if let url = model.videoURL {
                    VideoPlayer(player: AVPlayer(url: url))
                        .aspectRatio(9 / 16, contentMode: .fit)
                }
                GenerationProgressView(model)
                if model.isWorking {
                    Button("Stop", role: .cancel) { model.cancel() }
                } else if model.generation?.isFinal == true {
                    Button("Another video") { model.reset() }
                } else {
                    TextField("A cat walking on a beach at sunset", text: $prompt, axis: .vertical)
                        .textFieldStyle(.roundedBorder)
                    Button("Create") { model.create(videoRequest(prompt: prompt)) }
                        .disabled(prompt.isEmpty)
                    // After a stop or an error the generation may continue.
                    if let id = model.generationID {
                        Button("Resume the last video") { model.resume(id) }
                    }
                }
            }
            .padding()
            .onChange(of: model.generationID) { generation = model.generationID }
            .task {
                if let generation, model.generationID == nil { model.resume(generation) }
            }
        }
    }
#endif
