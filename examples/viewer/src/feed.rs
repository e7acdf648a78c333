//! Sources of frames: a stream into a texture, or frames computed on the CPU. They never wait.

use std::task::Poll;

use clap::ValueEnum;
use half::f16;
use voxload::{
    DType, DataobjImage, ErrorKind, Float, Frame, FrameOptions, FrameStream, Frames, Gpu,
    HostFrame, StreamOptions, StreamTarget, Texels,
};

use super::volume::Volume;

/// Largest number of bytes uploaded per screen frame.
const BUDGET: u64 = 4 << 20;

/// Backend that computes the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// The device, or the CPU if the device cannot; the screen shows which
    Auto,
    /// The CPU; without a window it also draws
    Cpu,
    /// The device; an error if it cannot
    Gpu,
}

/// The volume that is shown.
pub(crate) enum Shown<'a> {
    /// A 3-D texture.
    Texture(&'a wgpu::TextureView),
    /// Values on the host, first axis fastest.
    Values(&'a [f32]),
}

/// Counters of a source.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub bytes: u64,
    pub submissions: u64,
    pub host_bytes: u64,
    pub device_bytes: u64,
    /// Whether the texels represent the values exactly; known once there is a frame.
    pub exact: Option<bool>,
}

/// A source of frames.
pub(crate) trait Feed {
    /// Advances loading, and shows the next frame if it is wanted and ready. Returns its number.
    fn step(&mut self, wanted: bool) -> Poll<voxload::Result<usize>>;
    /// Continues with this frame.
    fn seek(&mut self, frame: usize) -> voxload::Result<()>;
    fn shown(&self) -> Shown<'_>;
    fn counters(&self) -> Counters;
    /// A description for the screen.
    fn path(&self) -> &str;
}

fn order(volume: &Volume) -> FrameOptions {
    match volume.frames {
        1 => FrameOptions::new(),
        _ => FrameOptions::new().looping(),
    }
}

/// A source for a device: voxload's kernels if the device can run them and they are wanted, otherwise values of the CPU
/// that are uploaded.
pub(crate) fn on_device(
    volume: &Volume,
    gpu: &Gpu,
    backend: Backend,
) -> voxload::Result<Box<dyn Feed>> {
    let filters = wgpu::Features::FLOAT32_FILTERABLE;
    let wide = gpu.device().features().contains(filters) && !fits_half(&volume.image);
    if wide {
        choose::<f32>(volume, gpu, Texels::R32Float, backend)
    } else {
        choose::<f16>(volume, gpu, Texels::R16Float, backend)
    }
}

/// Whether f16 represents the values to about one part in 2000 or better: small integers, in their whole range.
fn fits_half(image: &DataobjImage) -> bool {
    let header = image.header();
    let largest = match header.dtype {
        DType::U8 | DType::I8 => 256.0,
        DType::I16 => 32768.0,
        DType::U16 => 65536.0,
        _ => return header.dtype == DType::F16,
    };
    let (Some(slope), Some(inter)) = (header.scaling.slope(), header.scaling.inter()) else {
        return false;
    };
    slope.abs() * largest + inter.abs() < f64::from(f16::MAX)
}

fn choose<T: Float>(
    volume: &Volume,
    gpu: &Gpu,
    texels: Texels,
    backend: Backend,
) -> voxload::Result<Box<dyn Feed>> {
    let host = |why| -> voxload::Result<Box<dyn Feed>> {
        Ok(Box::new(Uploaded::<T>::new(volume, gpu, texels, why)?))
    };
    if backend == Backend::Cpu {
        return host("as asked".to_owned());
    }
    match Streamed::<T>::new(volume, gpu, texels) {
        Ok(streamed) => Ok(Box::new(streamed)),
        Err(error) if backend == Backend::Gpu => Err(error),
        Err(error) => match error.kind() {
            ErrorKind::DType { .. } | ErrorKind::GpuUnsupported(_) => {
                host(error.kind().to_string())
            }
            _ => Err(error),
        },
    }
}

fn texture(volume: &Volume, gpu: &Gpu, texels: Texels) -> wgpu::Texture {
    let [width, height, depth] = volume.size.map(|side| side as u32);
    gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: Some("volume"),
        size: wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: depth,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D3,
        format: texels.format(),
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

/// The GPU path: a stream into the viewer's texture.
struct Streamed<T: Float> {
    stream: FrameStream<T>,
    /// Held until another frame is wanted, so that the texture does not change.
    held: Option<Frame<T>>,
    exact: Option<bool>,
    view: wgpu::TextureView,
    path: String,
}

impl<T: Float> Streamed<T> {
    fn new(volume: &Volume, gpu: &Gpu, texels: Texels) -> voxload::Result<Self> {
        let texture = texture(volume, gpu, texels);
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let options = StreamOptions::new()
            .frames(order(volume))
            .target(StreamTarget::Texture { texture, texels });
        Ok(Self {
            stream: volume.image.stream(gpu, options)?,
            held: None,
            exact: None,
            view,
            path: format!("GPU path: {} by {}", T::DTYPE, gpu.info().name),
        })
    }
}

impl<T: Float> Feed for Streamed<T> {
    fn step(&mut self, wanted: bool) -> Poll<voxload::Result<usize>> {
        if wanted {
            self.held = None;
        }
        self.stream.pump(BUDGET);
        if !wanted {
            return Poll::Pending;
        }
        match self.stream.try_next() {
            Poll::Ready(Some(Ok(frame))) => {
                let number = frame.index();
                self.exact = frame.fidelity().map(voxload::Fidelity::is_exact);
                self.held = Some(frame);
                Poll::Ready(Ok(number))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn seek(&mut self, frame: usize) -> voxload::Result<()> {
        self.stream.seek(frame)
    }

    fn shown(&self) -> Shown<'_> {
        Shown::Texture(&self.view)
    }

    fn counters(&self) -> Counters {
        let trace = self.stream.trace();
        Counters {
            bytes: trace.bytes,
            submissions: trace.submissions,
            host_bytes: self.stream.host_bytes(),
            device_bytes: self.stream.device_bytes(),
            exact: self.exact,
        }
    }

    fn path(&self) -> &str {
        &self.path
    }
}

/// The CPU path to a screen: frames are computed on the host and uploaded in layers to a texture that is not shown yet.
struct Uploaded<T: Float> {
    gpu: Gpu,
    frames: Frames<T>,
    textures: [(wgpu::Texture, wgpu::TextureView); 2],
    front: usize,
    /// The frame that is being uploaded, and the number of layers that are complete.
    coming: Option<(HostFrame<T>, u32)>,
    counters: Counters,
    path: String,
}

impl<T: Float> Uploaded<T> {
    fn new(volume: &Volume, gpu: &Gpu, texels: Texels, why: String) -> voxload::Result<Self> {
        let frames = volume.image.frames::<T>(order(volume))?;
        let textures = [(); 2].map(|()| {
            let texture = texture(volume, gpu, texels);
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            (texture, view)
        });
        let voxels = volume.size.iter().product::<usize>() as u64;
        let counters = Counters {
            host_bytes: frames.host_bytes(),
            device_bytes: 2 * voxels * texels.size_bytes() as u64,
            ..Counters::default()
        };
        Ok(Self {
            gpu: gpu.clone(),
            frames,
            textures,
            front: 0,
            coming: None,
            counters,
            path: format!("CPU PATH ({why}): {} uploaded", T::DTYPE),
        })
    }

    /// Uploads some layers. Returns whether these were the last.
    fn upload(&mut self) -> bool {
        let Some((frame, done)) = &mut self.coming else {
            return false;
        };
        let (texture, _) = &self.textures[1 - self.front];
        let size = texture.size();
        let layer = size.width * size.height * size_of::<T>() as u32;
        let max = (BUDGET as u32 / layer.max(1)).max(1);
        let layers = max.min(size.depth_or_array_layers - *done);
        let bytes: &[u8] = bytemuck::cast_slice(frame.as_slice());
        let first = *done as usize * layer as usize;
        let part = &bytes[first..first + layers as usize * layer as usize];
        let mut destination = texture.as_image_copy();
        destination.origin.z = *done;
        self.gpu.queue().write_texture(
            destination,
            part,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(size.width * size_of::<T>() as u32),
                rows_per_image: Some(size.height),
            },
            wgpu::Extent3d {
                depth_or_array_layers: layers,
                ..size
            },
        );
        self.counters.bytes += part.len() as u64;
        self.counters.submissions += 1;
        *done += layers;
        *done == size.depth_or_array_layers
    }
}

impl<T: Float> Feed for Uploaded<T> {
    fn step(&mut self, wanted: bool) -> Poll<voxload::Result<usize>> {
        if !wanted {
            return Poll::Pending;
        }
        if self.coming.is_none() {
            match self.frames.try_next() {
                Poll::Ready(Some(Ok(frame))) => self.coming = Some((frame, 0)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
        if !self.upload() {
            return Poll::Pending;
        }
        self.front = 1 - self.front;
        match self.coming.take() {
            Some((frame, _)) => Poll::Ready(Ok(frame.index())),
            None => Poll::Pending,
        }
    }

    fn seek(&mut self, frame: usize) -> voxload::Result<()> {
        self.coming = None;
        self.frames.seek(frame)
    }

    fn shown(&self) -> Shown<'_> {
        Shown::Texture(&self.textures[self.front].1)
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn path(&self) -> &str {
        &self.path
    }
}

/// Without a device: frames stay on the host.
pub(crate) struct InMemory {
    frames: Frames<f32>,
    held: Option<HostFrame<f32>>,
    path: String,
}

impl InMemory {
    pub(crate) fn new(volume: &Volume, why: &str) -> voxload::Result<Self> {
        Ok(Self {
            frames: volume.image.frames(order(volume))?,
            held: None,
            path: format!("CPU PATH ({why}): drawn by the CPU"),
        })
    }
}

impl Feed for InMemory {
    fn step(&mut self, wanted: bool) -> Poll<voxload::Result<usize>> {
        if !wanted {
            return Poll::Pending;
        }
        match self.frames.try_next() {
            Poll::Ready(Some(Ok(frame))) => {
                let number = frame.index();
                self.held = Some(frame);
                Poll::Ready(Ok(number))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn seek(&mut self, frame: usize) -> voxload::Result<()> {
        self.frames.seek(frame)
    }

    fn shown(&self) -> Shown<'_> {
        Shown::Values(self.held.as_ref().map_or(&[], HostFrame::as_slice))
    }

    fn counters(&self) -> Counters {
        Counters {
            host_bytes: self.frames.host_bytes(),
            exact: Some(true),
            ..Counters::default()
        }
    }

    fn path(&self) -> &str {
        &self.path
    }
}
