//! The main header and the subheader of a frame, under nibabel's names.

use crate::format::binary::header;

header! {
    /// The first block of the file.
    Main {
        0 magic_number: String [14];
        14 original_filename: String [32];
        46 sw_version: u16;
        48 system_type: u16;
        50 file_type: u16;
        52 serial_number: String [10];
        62 scan_start_time: u32;
        66 isotope_name: String [8];
        74 isotope_halflife: f32;
        78 radiopharmaceutical: String [32];
        110 gantry_tilt: f32;
        114 gantry_rotation: f32;
        118 bed_elevation: f32;
        122 intrinsic_tilt: f32;
        126 wobble_speed: u16;
        128 transm_source_type: u16;
        130 distance_scanned: f32;
        134 transaxial_fov: f32;
        138 angular_compression: u16;
        140 coin_samp_mode: u16;
        142 axial_samp_mode: u16;
        144 ecat_calibration_factor: f32;
        148 calibration_units: u16;
        150 calibration_units_type: u16;
        152 compression_code: u16;
        154 study_type: String [12];
        166 patient_id: String [16];
        182 patient_name: String [32];
        214 patient_sex: String [1];
        215 patient_dexterity: String [1];
        216 patient_age: f32;
        220 patient_height: f32;
        224 patient_weight: f32;
        228 patient_birth_date: u32;
        232 physician_name: String [32];
        264 operator_name: String [32];
        296 study_description: String [32];
        328 acquisition_type: u16;
        330 patient_orientation: u16;
        332 facility_name: String [20];
        352 num_planes: u16;
        354 num_frames: u16;
        356 num_gates: u16;
        358 num_bed_pos: u16;
        360 init_bed_position: f32;
        364 bed_position: [f32; 15];
        424 plane_separation: f32;
        428 lwr_sctr_thres: u16;
        430 lwr_true_thres: u16;
        432 upr_true_thres: u16;
        434 user_process_code: String [10];
        444 acquisition_mode: u16;
        446 bin_size: f32;
        450 branching_fraction: f32;
        454 dose_start_time: u32;
        458 dosage: f32;
        462 well_counter_corr_factor: f32;
        466 data_units: String [32];
        498 septa_state: u16;
        500 fill: String [12];
    }
}

header! {
    /// The block in front of the voxels of a frame.
    Frame {
        0 data_type: u16;
        2 num_dimensions: u16;
        4 x_dimension: u16;
        6 y_dimension: u16;
        8 z_dimension: u16;
        10 x_offset: f32;
        14 y_offset: f32;
        18 z_offset: f32;
        22 recon_zoom: f32;
        26 scale_factor: f32;
        30 image_min: i16;
        32 image_max: i16;
        34 x_pixel_size: f32;
        38 y_pixel_size: f32;
        42 z_pixel_size: f32;
        46 frame_duration: u32;
        50 frame_start_time: u32;
        54 filter_code: u16;
        56 x_resolution: f32;
        60 y_resolution: f32;
        64 z_resolution: f32;
        68 num_r_elements: f32;
        72 num_angles: f32;
        76 z_rotation_angle: f32;
        80 decay_corr_fctr: f32;
        84 corrections_applied: u32;
        88 gate_duration: u32;
        92 r_wave_offset: u32;
        96 num_accepted_beats: u32;
        100 filter_cutoff_frequency: f32;
        104 filter_resolution: f32;
        108 filter_ramp_slope: f32;
        112 filter_order: u16;
        114 filter_scatter_fraction: f32;
        118 filter_scatter_slope: f32;
        122 annotation: String [40];
        162 mt_1_1: f32;
        166 mt_1_2: f32;
        170 mt_1_3: f32;
        174 mt_2_1: f32;
        178 mt_2_2: f32;
        182 mt_2_3: f32;
        186 mt_3_1: f32;
        190 mt_3_2: f32;
        194 mt_3_3: f32;
        198 rfilter_cutoff: f32;
        202 rfilter_resolution: f32;
        206 rfilter_code: u16;
        208 rfilter_order: u16;
        210 zfilter_cutoff: f32;
        214 zfilter_resolution: f32;
        218 zfilter_code: u16;
        220 zfilter_order: u16;
        222 mt_4_1: f32;
        226 mt_4_2: f32;
        230 mt_4_3: f32;
        234 scatter_type: u16;
        236 recon_type: u16;
        238 recon_views: u16;
        240 fill: String [174];
        414 fill2: String [96];
    }
}
