package Bench::Data;

# The same logical data for every system: 500 patients and 500 doctors with
# profiles, 20 conversations a patient (25 doctors apart) of 12 messages, and
# 50 groups of 200 doctors each.  wrk/call.lua knows these numbers too.

use strict;
use warnings;
use utf8;

use Encode qw(encode_utf8);

use constant {
    PATIENTS => 500, DOCTORS => 500, EACH => 20, MESSAGES => 12,
    GROUPS   => 50,  MEMBERS => 200,
};

my @FAMILY = split //, '白安王李张刘陈杨黄赵吴周徐孙马朱胡郭何高';
my @GIVEN  = split //, '亚利玲英明华建国丽芳伟强敏静秀军平红梅兰';
my @WORDS  = qw(今天 请您 按时 复查 血压 饮食 清淡 用药 好的 谢谢 医生 明天
                门诊 检查 结果);

sub patient { sprintf 'CKD_P_9030000000%05d', $_[0] }
sub doctor  { sprintf 'CKD_D_9030000000%05d', $_[0] }
sub group   { sprintf 'group%02d', $_[0] }

# the k-th conversation of patient p
sub pair { my ($p, $k) = @_; (patient($p), doctor(($p + $k * DOCTORS / EACH) % DOCTORS)) }

# the same dice for everyone
my $state;
sub dice { $state = ($state * 1103515245 + 12345) & 0x7fffffff; ($state >> 8) % $_[0] }

sub text { encode_utf8(join '', map { $WORDS[dice(scalar @WORDS)] } 1 .. 10) }


sub profiles {
    my $n = 0;
    return map {
        my $i = $n++;
        my ($num) = /_(\d+)$/;
        { id => $_, img => "http://img.example.com/u/$num.png",
          name => encode_utf8($FAMILY[$i % 20] . $GIVEN[$i / 20 % 20]
                              . ($i % 3 ? $GIVEN[$i * 7 % 20] : '')) }
    } map({ patient($_) } 0 .. PATIENTS - 1), map({ doctor($_) } 0 .. DOCTORS - 1);
}


# [ id, owner, members ]
sub groups {
    return map {
        my $g = $_;
        my @m = map { doctor(($g * 10 + $_ * 2) % DOCTORS) } 0 .. MEMBERS - 1;
        [ group($g), @m ]
    } 0 .. GROUPS - 1;
}


# calls $cb->(conversation, from, to, text) for every message, a conversation's
# in order; both of a pair have written
sub messages {
    my ($cb) = @_;
    $state = 20200101;
    for my $p (0 .. PATIENTS - 1) {
        for my $k (0 .. EACH - 1) {
            my ($a, $b) = pair($p, $k);
            for my $m (1 .. MESSAGES) {
                my $turn = $m == 1 ? 0 : $m == 2 ? 1 : dice(2);
                $cb->($p * EACH + $k, $turn ? ($b, $a) : ($a, $b), text());
            }
        }
    }
    return PATIENTS * EACH * MESSAGES;
}

1;
