//! Raw volumes: a shader of the test's own calls what the WGSL offers, and finds the bits of the CPU path.

use voxload::{
    ByteOrder, DType, DataobjImage, ErrorKind, HostArray, Layout, ProxySpec, RawVolume, ShaderNames,
};

use super::devices::{buffer_of, devices, download};
use super::images::{ORDERS, REAL, Random, SCALINGS, image_of};
use crate::support::environment::volume;
use crate::support::ways;

/// What [`ShaderNames`] are made of.
#[derive(Default)]
pub struct Names {
    group: u32,
    binding: u32,
    prefix: &'static str,
}

impl Names {
    fn options(&self) -> ShaderNames {
        ShaderNames::new()
            .group(self.group)
            .binding(self.binding)
            .prefix(self.prefix)
    }
}

/// The bits that the functions give for all voxels: as f32, as f64 (two words), and of `load_voxel`.
fn bits_of(raw: &RawVolume, names: &Names) -> [Vec<u32>; 3] {
    let (gpu, count) = (raw.gpu(), raw.len());
    let Names {
        group,
        binding,
        prefix,
    } = names;
    let code = raw.wgsl(&names.options())
        + &format!(
            "
@group({group}) @binding({other}) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let i = id.x * 64u + local;
    if i < {count}u {{
        out[i] = {prefix}load_voxel_bits(i);
        let wide = {prefix}load_voxel_bits64(i);
        out[{count}u + 2u * i] = wide.x;
        out[{count}u + 2u * i + 1u] = wide.y;
        out[3u * {count}u + i] = bitcast<u32>({prefix}load_voxel(i));
    }}
}}",
            other = binding + 1
        );
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(code.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let out = buffer_of(gpu, &vec![0; 16 * count.max(1)], usage);
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(*group),
        entries: &[
            wgpu::BindGroupEntry {
                binding: *binding,
                resource: raw.buffer().as_entire_binding(),
            },
            wgpu::BindGroupEntry {
                binding: binding + 1,
                resource: out.as_entire_binding(),
            },
        ],
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(*group, &bindings, &[]);
    pass.dispatch_workgroups(count.div_ceil(64) as u32, 1, 1);
    drop(pass);
    gpu.queue().submit([encoder.finish()]);
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&download(gpu, &out));
    [
        words[..count].to_vec(),
        words[count..3 * count].to_vec(),
        words[3 * count..4 * count].to_vec(),
    ]
}

pub fn check(image: &DataobjImage, raw: &RawVolume, names: &Names) {
    let dataobj = image.dataobj();
    let narrow: HostArray<f32> = dataobj.read().expect("values");
    let wide: HostArray<f64> = dataobj.read().expect("values");
    assert_eq!(raw.shape(), image.shape());
    let [bits, bits64, loaded] = bits_of(raw, names);
    assert_eq!(bits.len(), narrow.len());
    // Copies keep every bit.
    let copies = image.header().scaling.is_none();
    let exact32 = copies && raw.dtype() == DType::F32;
    let exact64 = copies && raw.dtype() == DType::F64;
    for (i, (&narrow, &wide)) in narrow.as_slice().iter().zip(wide.as_slice()).enumerate() {
        let found = f32::from_bits(bits[i]);
        let same = bits[i] == narrow.to_bits() || !exact32 && found.is_nan() && narrow.is_nan();
        assert!(
            same,
            "{i}: {found:e} for {narrow:e} of {:?}",
            image.header()
        );
        let found = u64::from(bits64[2 * i]) | u64::from(bits64[2 * i + 1]) << 32;
        let nans = !exact64 && f64::from_bits(found).is_nan() && wide.is_nan();
        let same = found == wide.to_bits() || nans;
        assert!(same, "{i}: {found:x} for {wide:e} of {:?}", image.header());
        let found = f32::from_bits(loaded[i]);
        let same = found == narrow || found.is_nan() && narrow.is_nan();
        let flushed = narrow.is_subnormal() && found == 0.0;
        assert!(same || flushed, "{i}: {found:e} for {narrow:e}");
    }
}

#[test]
fn every_type_order_and_scaling() {
    let mut checked = 0;
    let all = devices("every_type_order_and_scaling");
    for device in &all {
        let mut random = Random::new(41);
        for dtype in REAL {
            for byte_order in ORDERS {
                for kind in SCALINGS {
                    let shape = random.shape(4, 900);
                    let spec = ProxySpec::new(&shape, dtype)
                        .scaling(random.scaling(kind, &shape))
                        .byte_order(byte_order)
                        .layout(random.pick(&[Layout::FirstFastest, Layout::LastFastest]))
                        .offset(352);
                    let image = image_of(random.proxy(&spec), spec);
                    let raw = ways::raw_on_gpu(image.dataobj(), &device.gpu).expect("it fits");
                    let names = Names {
                        group: random.below(3) as u32,
                        binding: random.below(4) as u32,
                        prefix: ["", "t1_"][random.below(2)],
                    };
                    check(&image, &raw, &names);
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, all.len() * 11 * 2 * 5);
}

/// Slices and other orders of the axes, with tables: the entry of a voxel is that of its place in the file.
#[test]
fn raw_slices() {
    for device in devices("raw_slices") {
        let mut random = Random::new(42);
        for _ in 0..volume(20, 200) {
            let image = random.image(4, 1500);
            let index = random.index(image.shape());
            let part = image.dataobj().sliced(&index).expect("a slice");
            let mut spec = ProxySpec::from(image.header());
            spec.shape = part.shape().to_vec();
            let part = image_of(part, spec);
            if part.shape().contains(&0) {
                assert!(
                    ways::raw_on_gpu(part.dataobj(), &device.gpu)
                        .expect("nothing")
                        .is_empty()
                );
                continue;
            }
            let raw = ways::raw_on_gpu(part.dataobj(), &device.gpu).expect("it fits");
            check(&part, &raw, &Names::default());
        }
    }
}

#[test]
fn volumes_that_cannot_be_raw() {
    for device in devices("volumes_that_cannot_be_raw") {
        let gpu = &device.gpu;
        let spec = |dtype, side| ProxySpec::new(&[side, 4], dtype).byte_order(ByteOrder::Little);
        let kind = |spec: ProxySpec| {
            let image = image_of(Random::new(43).proxy(&spec), spec);
            ways::raw_on_gpu(image.dataobj(), gpu)
                .expect_err("it cannot be")
                .kind()
                .clone()
        };
        let colour = kind(spec(DType::Rgba32, 3));
        assert!(matches!(colour, ErrorKind::DType { .. }), "{colour:?}");
        let complex = kind(spec(DType::C64, 3));
        assert!(matches!(complex, ErrorKind::DType { .. }), "{complex:?}");
        if device.name == "tiny limits" {
            let expected = ErrorKind::GpuLimit {
                limit: "max_storage_buffer_binding_size",
                needed: (64 << 10) + 8,
                allowed: 64 << 10,
            };
            assert_eq!(kind(spec(DType::U16, (8 << 10) + 1)), expected);
        }
        let array = HostArray::from_vec(&[1], vec![1.0f32]).expect("it fits");
        let image = DataobjImage::from_array(array, None).expect("it fits");
        let error = ways::raw_on_gpu(image.dataobj(), gpu).expect_err("no stored voxels");
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
    }
}
